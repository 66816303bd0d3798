"""dbt on a test's ClickHouse, without the seconds that each start of it takes."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from neonblue.settings import Settings
from orchestration.project import dbt_environment

_one_at_a_time = threading.Lock()


def dbt(settings: Settings, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """What ``dbt`` with these arguments did. A row counts as seen as soon as it is visible, if nothing else is said.

    A run, a build or a test doesn't write ``manifest.json``: the project is parsed already.
    """
    given = ("--vars", json.dumps({"ingestion_grace_seconds": 0, **variables}))
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "arguments": [*arguments, *given],
            "environment": {**os.environ, **dbt_environment(settings)},
            "output": folder,
        }
        code = _answer(json.dumps(asked))
        said, complained = (
            file.read_text() if (file := Path(folder) / name).exists() else ""
            for name in ("stdout", "stderr")
        )
    return subprocess.CompletedProcess([*arguments, *given], code, said, complained)


def _answer(request: str) -> int:
    with _one_at_a_time:
        process = _process()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
            code = process.stdout.readline()
            assert code, "the process that runs dbt has ended"
        except BaseException:
            # A test that ran out of time, too: the next one must not read this answer.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _process.cache_clear()
            raise
        return int(code)


@functools.cache
def _process() -> subprocess.Popen[str]:
    """One for all tests of this process; what it starts is of its group."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.dbt_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    if process.poll() is None:
        process.stdin.close()
        process.wait(60)
