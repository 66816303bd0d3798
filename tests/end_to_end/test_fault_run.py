"""One short fault run, on a stack of its own: the oracle finds all data, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
KINDS = "kill,network_reset,answers_lost,repeats,poison_messages,offsets_lost,group_back"
SECONDS = 900


@pytest.mark.timeout(SECONDS + 60)
def test_a_short_run_loses_and_doubles_nothing() -> None:
    folder = Path(tempfile.mkdtemp(prefix="neonblue-fault-run-"))
    folder.chmod(0o755)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "neonblue.cli.main", "faults", "--seed", "7", "--minutes", "1.5"),
            *("--faults", KINDS, "--json", "--data-dir", str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=ROOT,
        env=dict(os.environ),
        check=False,
    )
    assert done.stdout, done.stderr
    (outcome,) = json.loads(done.stdout)

    assert outcome["complaints"] == []
    assert outcome["good"]
    assert done.returncode == 0
    assert outcome["acknowledged"] > 1_000
    assert outcome["units"] > 100
    struck = [fault for fault in outcome["faults"] if not fault["skipped"]]
    assert len(struck) >= 3
    assert all(fault["recovered_seconds"] is not None for fault in struck)
    assert outcome["down_seconds"] is not None
    assert not folder.exists()
    assert not [process for process in psutil.process_iter(["cmdline"]) if _of(process, folder)]


def _of(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in argument for argument in process.info["cmdline"] or ())
