"""What a service's process is before it becomes the service's program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from neonblue.stack.process import Account, Command, start

_GROUP = Path("/proc/self/autogroup")
_SHOW = "import os; print(os.nice(0), open('/proc/self/autogroup').read().split()[-1])"


@pytest.mark.skipif(not _GROUP.exists(), reason="this kernel shares time among processes, not among sessions")
@pytest.mark.parametrize("nice", [0, 4])
def test_a_service_that_yields_does_so_to_the_sessions_of_others_too(nice: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = start(Command((sys.executable, "-c", _SHOW), {}, tmp_path, nice=nice), log)
    running.popen.wait(30)

    assert log.read_text().split() == [str(nice), str(nice)]


_WRITE = """
import os, resource
os.mkdir("made")
open("file", "w").close()
print(oct(os.stat("made").st_mode)[-3:], oct(os.stat("file").st_mode)[-3:], resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_what_a_service_makes_is_closed_to_other_users_and_its_memory_goes_to_no_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    before = os.umask(0o022)
    try:
        start(Command((sys.executable, "-c", _WRITE), {}, tmp_path), log).popen.wait(30)
    finally:
        os.umask(before)

    assert log.read_text().split(maxsplit=2) == ["700", "600", "(0, 0)\n"]


_STATUS = """
lines = [line.split() for line in open("/proc/self/status")]
print(*(line[1] for line in lines if line[0] in ("Uid:", "Gid:", "CapPrm:", "CapEff:")))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts services as other users")
def test_a_service_of_another_user_keeps_the_one_capability_it_is_left_and_no_other(tmp_path: Path) -> None:
    log, account = tmp_path / "log", Account("nobody", uid=65534, gid=65534, capability=2)
    start(Command((sys.executable, "-c", _STATUS), {}, tmp_path, account=account), log).popen.wait(30)

    uid, gid, permitted, effective = log.read_text().split()
    assert (uid, gid, int(permitted, 16), int(effective, 16)) == ("65534", "65534", 1 << 2, 1 << 2)
