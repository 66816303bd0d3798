"""What Docker Compose makes of a deployment's folder, and a machine that is large enough for one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from neonblue.compose.machine import Machine

GIBIBYTE = 1024**3
PROFILES = ("cli", "demo", "monitoring", "tls")
LARGE = Machine(
    memory=16 * GIBIBYTE,
    cores=4,
    disk=100 * GIBIBYTE,
    disk_of=Path("/"),
    architecture="x86_64",
    flags=frozenset({"sse4_2"}),
)


def compose_config(folder: Path, *profiles: str) -> dict[str, Any]:
    """What the real Docker Compose reads there. Raises CalledProcessError on what it does not take."""
    program = Path(sys.executable).with_name("docker-compose")
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    done = subprocess.run(
        [program, *chosen, "config", "--format", "json"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read
