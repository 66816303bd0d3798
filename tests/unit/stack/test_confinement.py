"""What a process can do once it is confined."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from neonblue.settings import ClickHouseSettings, KafkaSettings, Settings
from neonblue.stack.errors import StackError
from neonblue.stack.jvm import java
from neonblue.stack.processes import landlock
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.confinement import Confinement, python_library
from neonblue.stack.processes.ports import free_ports
from neonblue.stack.processes.process import start
from neonblue.stack.services.clickhouse import walls

KNOWN = landlock.version()
confining = pytest.mark.skipif(
    KNOWN < landlock.FIRST_USABLE, reason="this kernel has no Landlock that will do"
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def run(code: str, own: Path, *, binds: tuple[int, ...] = (), connects: tuple[int, ...] | None = ()) -> str:
    """What a confined program in Python says. `denied(call, …)` there tells the error that a call ends with."""
    helper = """
import os, signal, socket, sys
def denied(call, *given):
    try:
        call(*given)
    except OSError as error:
        return type(error).__name__
    return ""
"""
    library = python_library(own)
    confinement = Confinement((own,), binds, connects, library.reads, library.lists)
    log = own.parent / "log"
    log.unlink(missing_ok=True)
    command = Command((sys.executable, "-c", helper + code), dict(os.environ), own, confinement=confinement)
    assert start(command, log).popen.wait(60) == 0, log.read_text()
    return log.read_text().strip()


@confining
def test_files_outside_its_folder_can_not_be_read_written_listed_or_removed(own: Path) -> None:
    secret = own.parent / "neonblue.env"
    secret.write_text("NEONBLUE_API_TOKEN=x")
    (own / "link").symlink_to(secret)
    code = f"""
secret, folder = {str(secret)!r}, {str(own.parent)!r}
tried = dict(
    read=denied(open, secret), read_by_link=denied(open, "link"), write=denied(open, secret, "a"),
    list=denied(os.listdir, folder), truncate=denied(os.truncate, secret, 0), remove=denied(os.unlink, secret),
    make=denied(os.mkdir, folder + "/new"), link=denied(os.link, secret, "linked"),
    move=denied(os.rename, secret, "moved"), passwords=denied(open, "/etc/shadow"),
    others_environment=denied(open, "/proc/{os.getpid()}/environ"), program=denied(os.execv, "/bin/true", ["true"]),
)
print([name for name, error in tried.items() if not error])
"""
    assert run(code, own) == "[]"
    assert secret.read_text() == "NEONBLUE_API_TOKEN=x"


@confining
def test_in_its_folder_it_does_what_a_database_does(own: Path) -> None:
    code = """
os.makedirs("a/b"); os.mkdir("c")
with open("a/b/part", "w") as file: file.write("rows")
os.truncate("a/b/part", 2); os.link("a/b/part", "c/part"); os.rename("a/b", "c/b"); os.symlink("c", "d")
os.unlink("c/part"); os.rmdir("a"); print(sorted(os.listdir("c")), open("d/b/part").read())
"""
    assert run(code, own) == "['b'] ro"


@confining
def test_nothing_that_it_writes_can_be_executed(own: Path) -> None:
    code = """
open("program", "w").write("#!/bin/sh\\n"); os.chmod("program", 0o700)
print(denied(os.execv, "program", ["program"]))
"""
    assert run(code, own) == "PermissionError"


@confining
@pytest.mark.skipif(not landlock.limits_connections(KNOWN), reason="this kernel's Landlock knows no ports")
def test_it_listens_and_connects_at_its_own_ports_alone(own: Path) -> None:
    mine, other = free_ports(2)
    with socket.create_server(("127.0.0.1", 0)) as allowed, socket.create_server(("127.0.0.1", 0)) as closed:
        yes, no = allowed.getsockname()[1], closed.getsockname()[1]
        code = f"""
local = "127.0.0.1"
print([denied(socket.create_connection, (local, {yes})), denied(socket.create_connection, (local, {no})),
       denied(socket.create_server, (local, {mine})), denied(socket.create_server, (local, {other}))])
"""
        assert (
            run(code, own, binds=(mine,), connects=(yes,)) == "['', 'PermissionError', '', 'PermissionError']"
        )
        assert run(f"print(denied(socket.create_connection, ('127.0.0.1', {no})))", own, connects=None) == ""


@confining
@pytest.mark.skipif(KNOWN < 6, reason="this kernel's Landlock knows no signals")
def test_it_signals_nobody_but_its_own(own: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        assert run(f"print(denied(os.kill, {stranger.pid}, signal.SIGTERM))", own) == "PermissionError"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("known", range(1, KNOWN + 1))
def test_a_kernel_that_knows_less_is_asked_for_less(known: int, own: Path) -> None:
    rules = Confinement((own,), (1,), (2,), (Path("/usr"), Path("/missing"))).rules()

    os.close(landlock.ruleset(rules, known))


def test_the_library_never_holds_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("package", "data", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "module.py").touch()
    (tmp_path / "secret.txt").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    library = python_library(tmp_path / "data")

    found = {path for path in library.reads if path.is_relative_to(tmp_path)}
    assert found == {tmp_path / "package", tmp_path / "module.py"}
    assert tmp_path in library.lists


def connects(kafka: KafkaSettings, ports: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
    confinement = walls(
        Settings(kafka=kafka, clickhouse=ClickHouseSettings(connect_ports=ports), data_dir=Path("/data"))
    )
    assert confinement is not None
    return confinement.connects


def test_clickhouse_connects_to_the_stacks_kafka_and_to_what_the_settings_name() -> None:
    assert connects(KafkaSettings(port=19092)) == (19092, 53)
    assert connects(KafkaSettings(port=19092), (443,)) == (19092, 53, 443)


def test_brokers_of_an_external_kafka_are_anywhere_unless_the_settings_name_their_ports() -> None:
    external = KafkaSettings(bootstrap_servers="one,two:9094")

    assert connects(external) is None
    assert connects(external, ()) == (9092, 9094, 53)


@confining
def test_java_runs_within_its_folder(own: Path) -> None:
    try:
        program = java.executable()
    except StackError:
        pytest.skip("there is no Java here")
    confinement = java.confinement(own, own.parent / "cache", (), ())
    log = own.parent / "log"
    command = Command((str(program), "-version"), java.ENVIRONMENT, own, confinement=confinement)

    assert start(command, log).popen.wait(60) == 0, log.read_text()


def test_a_version_managers_script_for_java_is_not_held_to_what_java_needs(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = own / "java"
    shim.write_text("#!/bin/sh")
    monkeypatch.setattr(java, "executable", lambda: shim)

    assert java.confinement(own, own, (), ()) is None
