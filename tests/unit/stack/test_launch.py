"""What a service's process is before it becomes the service's program."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from neonblue.serving.inherited import take
from neonblue.stack.errors import PortsTakenError
from neonblue.stack.processes.command import Account, Command
from neonblue.stack.processes.listeners import Address, Announcement, Listener
from neonblue.stack.processes.ports import PortUse, free_ports
from neonblue.stack.processes.process import start, yield_to_others

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


_INHERIT = """
import os
from neonblue.serving.inherited import take
found = take()
print(*(one.getsockname()[1] for one in found.sockets), found.pipe, os.get_inheritable(found.pipe), flush=True)
found.announce()
found.announce()
"""


def test_a_service_gets_the_sockets_that_are_held_for_it_and_tells_when_it_takes_connections(
    tmp_path: Path,
) -> None:
    listener = Listener(Address("127.0.0.1", PortUse(0, "api", "NEONBLUE_API_PORT")))
    announcement = Announcement()
    ((_, number),) = listener.descriptors
    with socket.socket(fileno=os.dup(number)) as same:
        port = same.getsockname()[1]
    command = Command(
        (sys.executable, "-c", _INHERIT),
        {"PYTHONPATH": str(Path(__file__).parents[3])},
        tmp_path,
        descriptors=(*listener.descriptors, *announcement.descriptors),
    )
    running = start(command, tmp_path / "log")
    announcement.handed_over()
    running.popen.wait(30)

    assert (tmp_path / "log").read_text().split() == [str(port), "4", "False"]
    assert announcement.made()
    with socket.create_connection(("127.0.0.1", port)):  # nobody accepts it, and it is not refused
        listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_descriptors_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "2")

    assert take().sockets == []
    assert "LISTEN_FDS" not in os.environ


def test_a_port_that_somebody_has_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortsTakenError, match=rf"127.0.0.1:{port} .*in use.*NEONBLUE_API_PORT"):
            Listener(Address("127.0.0.1", PortUse(port, "api", "NEONBLUE_API_PORT")))


@pytest.mark.parametrize(
    ("host", "reached"), [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")]
)
def test_a_listener_takes_the_addresses_that_a_setting_names(host: str, reached: str) -> None:
    port = free_ports(1)[0]
    listener = Listener(Address(host, PortUse(port, "api", "NEONBLUE_API_PORT")))
    try:
        with socket.create_connection((reached, port), timeout=5):
            pass
    finally:
        listener.close()


_WAIT = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("started", flush=True)
time.sleep(60)
"""


def test_a_service_that_runs_can_be_made_to_yield_with_all_its_threads(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = start(Command((sys.executable, "-c", _WAIT), {}, tmp_path), log)
    try:
        deadline = time.monotonic() + 30
        while log.read_text() != "started\n":
            assert time.monotonic() < deadline

        yield_to_others(running.identity, 4)

        threads = psutil.Process(running.pid).threads()
        assert len(threads) == 2
        assert {os.getpriority(os.PRIO_PROCESS, one.id) for one in threads} == {4}
        group = Path(f"/proc/{running.pid}/autogroup")
        assert not group.exists() or group.read_text().split()[-1] == "4"
    finally:
        running.end(0)


def test_an_address_that_this_machine_has_not_is_named_with_its_setting() -> None:
    with pytest.raises(PortsTakenError, match=r"192\.0\.2\.1:8000 .*NEONBLUE_API_HOST"):
        Listener(Address("192.0.2.1", PortUse(8000, "api", "NEONBLUE_API_PORT")))
