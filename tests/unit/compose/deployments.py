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


def compose_config(folder: Path, *profiles: str, overlay: str = "") -> dict[str, Any]:
    """What the real Docker Compose reads there, with the overlay's file. Raises CalledProcessError on what it can't."""
    program = Path(sys.executable).with_name("docker-compose")
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    files = ["--file", "compose.yaml", "--file", overlay] if overlay else []
    done = subprocess.run(
        [program, *files, *chosen, "config", "--format", "json"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read
