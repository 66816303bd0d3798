"""Ports, logs, the folder's lock, the record of processes, what a system user can reach."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from neonblue.settings import Settings
from neonblue.stack import catalogue
from neonblue.stack.errors import AlreadyRunningError, PortsTakenError
from neonblue.stack.processes import ports
from neonblue.stack.processes.accounts import reachable
from neonblue.stack.processes.command import Account
from neonblue.stack.processes.ports import PortUse
from neonblue.stack.processes.process import Identity, alive, members
from neonblue.stack.supervisor import logs, overview, record
from neonblue.stack.supervisor.board import State, Status
from neonblue.stack.supervisor.folder_lock import FolderLock, holder


def test_a_port_in_use_is_named_with_its_service_and_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortsTakenError, match=rf"{port} \(kafka\) is in use.*NEONBLUE_KAFKA_PORT"):
            ports.check([PortUse(port, "kafka", "NEONBLUE_KAFKA_PORT")])


def test_one_port_for_two_services_is_refused() -> None:
    (port,) = ports.free_ports(1)

    with pytest.raises(PortsTakenError, match="set for kafka and for api: change NEONBLUE_API_PORT"):
        ports.check(
            [PortUse(port, "kafka", "NEONBLUE_KAFKA_PORT"), PortUse(port, "api", "NEONBLUE_API_PORT")]
        )


def test_every_service_gets_a_free_port_of_its_own() -> None:
    settings = catalogue.with_free_ports(Settings())
    chosen = [getattr(getattr(settings, name), field) for name, field in catalogue.port_settings()]

    assert len(set(chosen)) == len(chosen)
    assert not any(ports.taken(port) for port in chosen)


def test_a_log_is_cut_once_it_is_too_large_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        logs.limit(log, most=1000)
        assert log.stat().st_size == 100
        logs.limit(log, most=50)
        writer.write(b"after\n")

    assert log.read_text() == "after\n"
    assert (tmp_path / "service.log.1").stat().st_size == 50


def test_only_the_end_of_a_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("".join(f"line {number:04}\n" for number in range(1000)))

    logs.limit(log, most=20)

    assert (tmp_path / "service.log.1").read_text() == "line 0998\nline 0999\n"


def test_a_log_is_cut_without_a_copy_where_there_is_no_room_for_one(tmp_path: Path) -> None:
    log, copy = tmp_path / "service.log", tmp_path / "service.log.1"
    copy.write_text("of the time before")
    room = shutil.disk_usage(tmp_path).free
    with log.open("wb") as file:
        file.truncate(room // 2)  # all of it a hole, which takes no room

    logs.limit(log, most=room // 3)

    assert log.stat().st_size == 0
    assert not copy.exists()


def test_what_can_not_be_limited_is_left(tmp_path: Path) -> None:
    (tmp_path / "service.log").mkdir()

    logs.limit(tmp_path / "service.log", most=1)


def test_a_service_without_its_process_is_never_shown_as_ready(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    created = psutil.Process(gone.pid).create_time()
    gone.wait()
    dead = Status("kafka", State.READY, identity=Identity(gone.pid, created))
    alive_ = Status("api", State.READY, identity=Identity(os.getpid(), psutil.Process().create_time()))
    record.write(tmp_path, (dead, alive_, Status("topics", State.READY, kind="step")))

    with FolderLock(tmp_path):
        found = overview.take(tmp_path)

    assert [view.state for view in found.services] == ["unready", "ready", "ready"]
    assert "its process is not there" in found.services[0].detail
    assert not found.ready


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))

    assert logs.tail(log, 2) == ["line 99998", "line 99999"]
    assert logs.tail(tmp_path / "absent.log", 2) == []


def test_a_folder_is_held_once_and_its_holder_named(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with FolderLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}\).*neonblue down"):
            FolderLock(tmp_path).acquire()
    assert holder(tmp_path) is None


def test_a_record_reads_back_and_a_damaged_one_is_empty(tmp_path: Path) -> None:
    statuses = (Status("kafka", State.READY, identity=Identity(1, 2.5), restarts=3), Status("api"))

    record.write(tmp_path, statuses)
    assert record.read(tmp_path) == statuses

    (tmp_path / record.RECORD_FILE).write_text('[{"name"')
    assert record.read(tmp_path) == ()


def test_strays_are_ended_and_a_number_with_another_owner_is_not(tmp_path: Path) -> None:
    # The shell leaves its child alone in the session, as a crash would.
    script = "sleep 600 & echo $!"
    shell = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert shell.stdout is not None
    orphan = int(shell.stdout.readline())
    shell.wait()
    shell.stdout.close()
    stranger = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        gone = Status("gone", identity=Identity(shell.pid, 0.0))
        reused = Status("reused", identity=Identity(stranger.pid, 0.0))
        record.write(tmp_path, (gone, reused))

        assert record.end_strays(tmp_path) == ["gone"]
        assert members(Identity(shell.pid, 0.0)) == []
        assert (
            not Path(f"/proc/{orphan}/cmdline").exists() or not Path(f"/proc/{orphan}/cmdline").read_bytes()
        )
        assert stranger.poll() is None
        assert not alive(Identity(stranger.pid, 0.0))
    finally:
        stranger.communicate(b"\n")


_EXIT = {"x86_64": 60, "aarch64": 93}
_HALF_DEAD = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print(flush=True)
ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)
"""


def test_a_process_lives_until_its_last_thread_is_gone() -> None:
    command = [sys.executable, "-c", _HALF_DEAD, str(_EXIT[platform.machine()])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = psutil.Process(process.pid)
        identity = Identity(process.pid, seen.create_time())
        while seen.status() != psutil.STATUS_ZOMBIE:
            assert seen.is_running()

        assert alive(identity)
        assert [member.pid for member in members(identity)] == [process.pid]
        process.kill()
        process.wait(30)
        assert not alive(identity)


def test_a_folder_closed_to_others_can_not_be_reached() -> None:
    stranger = Account("stranger", uid=54321, gid=54321)
    # Not pytest's own folder: only its owner may enter that.
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        inner = Path(outer) / "closed" / "inner"
        inner.mkdir(parents=True)

        assert reachable(inner, stranger)
        inner.parent.chmod(0o700)
        assert not reachable(inner, stranger)
        assert reachable(inner, Account("owner", uid=os.getuid(), gid=os.getgid()))


_HOLDING = """
import resource, sys
from pathlib import Path
from neonblue.stack.supervisor.folder_lock import FolderLock
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
with FolderLock(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_by_who_can_not_write_its_number_there(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _HOLDING, tmp_path], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        assert (tmp_path / "supervisor.lock").read_bytes() == b""

        assert holder(tmp_path) == process.pid
        with pytest.raises(AlreadyRunningError, match=rf"process {process.pid}\)"):
            FolderLock(tmp_path).acquire()
        process.communicate()
    assert holder(tmp_path) is None
