"""What a service's process is before it becomes the service's program."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from neonblue.stack.process import Command, start

_GROUP = Path("/proc/self/autogroup")
_SHOW = "import os; print(os.nice(0), open('/proc/self/autogroup').read().split()[-1])"


@pytest.mark.skipif(not _GROUP.exists(), reason="this kernel shares time among processes, not among sessions")
@pytest.mark.parametrize("nice", [0, 4])
def test_a_service_that_yields_does_so_to_the_sessions_of_others_too(nice: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = start(Command((sys.executable, "-c", _SHOW), {}, tmp_path, nice=nice), log)
    running.popen.wait(30)

    assert log.read_text().split() == [str(nice), str(nice)]
