"""Start, crash, restart, stop: with the services that start in a second."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.errors import AlreadyRunningError, PortsTakenError, ServiceError
from neonblue.stack.processes import ports
from neonblue.stack.processes.process import Identity, alive, members
from neonblue.stack.supervisor import record
from neonblue.stack.supervisor.board import State
from tests.integration.stack.conftest import LIGHT, settings_in, supervise
from tests.waiting import until


def run(*arguments: str, settings: Settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neonblue.cli.main", *arguments, "--data-dir", str(settings.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def query(settings: Settings, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.postgres.dsn(), autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def processes(data_dir: Path) -> list[psutil.Process]:
    """Every process of the stack in `data_dir`, children included."""
    identities = [status.identity for status in record.read(data_dir) if status.identity is not None]
    return [process for identity in identities for process in members(identity)]


def test_a_crashed_service_is_restarted_counted_and_named(settings: Settings) -> None:
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()
        query(settings, "CREATE TABLE kept (id integer)")

        for service in LIGHT:
            stack.wait_restarted(service, stack.kill(service))

        assert stack.restart_counts() == {"postgres": 1, "valkey": 1}
        assert query(settings, "SELECT count(*) FROM kept") == [(0,)]


def test_a_graceful_stop_leaves_no_process_and_no_port(settings: Settings) -> None:
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()
        running = processes(settings.data_dir)
        assert len(running) > len(LIGHT)

    assert [process for process in running if process.is_running()] == []
    assert not ports.taken(settings.postgres.port)
    assert not ports.taken(settings.valkey.port)
    assert "database system is shut down" in (settings.data_dir / "logs" / "postgres.log").read_text()
    assert {status.state for status in stack.status()} == {State.STOPPED}


def test_a_second_start_in_the_folder_is_refused_and_names_the_first(settings: Settings) -> None:
    with Stack(settings, services={"valkey"}) as stack:
        stack.wait_ready()
        with pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}\)"):
            Stack(settings, services={"valkey"}).start()
        refused = run("up", settings=settings)
        stack.wait_ready()

    assert refused.returncode == 1
    assert f"process {os.getpid()}" in refused.stderr


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    refusal = pytest.raises(PortsTakenError, match=r"\(valkey\) is in use.*NEONBLUE_VALKEY_PORT")
    with socket.create_server(("127.0.0.1", settings.valkey.port)), refusal:
        Stack(settings, services=LIGHT).start()

    assert not (settings.data_dir / "postgres").exists()
    with Stack(settings, services={"valkey"}) as stack:
        stack.wait_ready()


def test_a_service_that_can_not_start_is_named_with_its_reason(settings: Settings) -> None:
    with Stack(settings, services={"postgres"}) as stack:
        stack.wait_ready()
    (settings.data_dir / "postgres" / "global" / "pg_control").unlink()

    with (
        Stack(settings, services={"postgres"}) as stack,
        pytest.raises(ServiceError, match="postgres: ended with"),
    ):
        stack.wait_ready(timeout=60)


def test_a_killed_supervisor_takes_its_services_along_and_the_next_start_recovers(settings: Settings) -> None:
    supervisor = supervise(settings, *LIGHT)
    query(settings, "CREATE TABLE kept AS SELECT 42 AS answer")
    running = processes(settings.data_dir)

    supervisor.kill()
    supervisor.wait()

    until(lambda: not any(process.is_running() for process in running), "the services ended")
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()
        assert query(settings, "SELECT answer FROM kept") == [(42,)]


def test_after_a_kill_of_supervisor_and_services_at_once_the_next_start_recovers(settings: Settings) -> None:
    supervisor = supervise(settings, *LIGHT)
    query(settings, "CREATE TABLE kept AS SELECT 42 AS answer")
    identities = [status.identity for status in record.read(settings.data_dir) if status.identity is not None]

    for pid in (supervisor.pid, *(identity.pid for identity in identities)):
        os.kill(pid, signal.SIGKILL)
    supervisor.wait()

    assert (settings.data_dir / "postgres" / "postmaster.pid").exists()
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()
        assert query(settings, "SELECT answer FROM kept") == [(42,)]


def test_strays_of_a_killed_supervisor_are_ended_by_down(settings: Settings) -> None:
    # A process that the kernel did not end with its supervisor, such as a child of a service.
    stray = subprocess.Popen(["sleep", "600"], start_new_session=True)
    identity = Identity(stray.pid, psutil.Process(stray.pid).create_time())
    (settings.data_dir / "logs").mkdir()
    with Stack(settings, services={"valkey"}) as stack:
        stack.wait_ready()
        statuses = stack.status()
    changed = tuple(
        type(status)(status.name, State.READY, identity=identity) if status.name == "valkey" else status
        for status in statuses
    )
    record.write(settings.data_dir, changed)

    done = run("down", settings=settings)

    assert "valkey" in done.stdout
    assert not alive(identity)
    stray.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_postgresql_runs_beneath_a_folder_that_only_root_may_enter(settings: Settings) -> None:
    closed = settings.data_dir / "closed"
    closed.mkdir(mode=0o700)
    inner = settings_in(closed / "data")

    with Stack(inner, services={"postgres"}) as stack:
        stack.wait_ready()
        owner = psutil.Process(stack.pids()["postgres"]).username()
        query(inner, "CREATE TABLE kept AS SELECT 42 AS answer")
        stack.wait_restarted("postgres", stack.kill("postgres"))
        assert query(inner, "SELECT answer FROM kept") == [(42,)]

    assert owner == inner.postgres.system_user
    assert (inner.data_dir / "postgres").owner() == owner


def test_no_secret_is_on_a_command_line_or_in_a_log(settings: Settings) -> None:
    with Stack(settings, services=LIGHT) as stack:
        stack.wait_ready()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(settings.postgres.dsn(), password="wrong")
        lines = [" ".join(process.cmdline()) for process in processes(settings.data_dir)]
    texts = [*lines, *(log.read_text() for log in (settings.data_dir / "logs").iterdir())]
    texts.append((settings.data_dir / record.RECORD_FILE).read_text())

    secrets = [
        settings.postgres.password,
        settings.valkey.password,
        settings.clickhouse.password,
        settings.clickhouse.readonly_password,
        settings.api.token,
    ]
    assert len(lines) > len(LIGHT)
    assert [text for text in texts for secret in secrets if secret.get_secret_value() in text] == []


def test_the_password_is_asked_for(settings: Settings) -> None:
    with Stack(settings, services={"postgres"}) as stack:
        stack.wait_ready()
        assert query(settings, "SHOW fsync") == [("on",)]
        assert query(settings, "SHOW wal_level") == [("logical",)]
        stored = query(settings, "SELECT rolpassword FROM pg_authid WHERE rolname = 'neonblue'")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(settings.postgres.dsn(), password="wrong")

    assert str(stored[0][0]).startswith("SCRAM-SHA-256$")


def test_an_external_service_is_neither_started_nor_stopped(settings: Settings) -> None:
    with Stack(settings, services={"valkey"}) as owner:
        owner.wait_ready()
        elsewhere = settings.data_dir / "other"
        external = settings_in(elsewhere)
        external = external.model_copy(
            update={
                "valkey": external.valkey.model_copy(
                    update={"url": type(external.valkey.password)(settings.valkey.dsn)}
                )
            }
        )
        with Stack(external, services={"valkey"}) as guest:
            guest.wait_ready()
            assert guest.pids() == {}
            kinds = {status.name: status.kind for status in guest.status()}
            assert kinds == {"valkey": "external", "disk": "step"}
        owner.wait_ready()
        assert owner.restart_counts() == {"valkey": 0}


def test_status_logs_and_down_speak_to_a_stack_in_another_process(settings: Settings) -> None:
    supervisor = supervise(settings, *LIGHT)
    running = processes(settings.data_dir)

    status = run("status", "--json", settings=settings)
    table = run("status", settings=settings)
    logs = run("logs", "postgres", settings=settings)
    absent = run("logs", "oracle", settings=settings)
    down = run("down", settings=settings)
    supervisor.wait(timeout=30)
    after = run("status", settings=settings)

    overview = json.loads(status.stdout)
    by_name = {view["name"]: view for view in overview["services"]}
    assert (status.returncode, overview["ready"], overview["supervisor"]) == (0, True, supervisor.pid)
    assert by_name["postgres"]["address"] == f"127.0.0.1:{settings.postgres.port}"
    assert by_name["postgres"]["memory_bytes"] > 1024**2
    assert overview["memory_bytes"] > sum(view["memory_bytes"] for view in overview["services"])
    assert "valkey" in table.stdout
    assert "database system is ready" in logs.stdout
    assert (absent.returncode, "postgres" in absent.stderr) == (1, True)
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert not any(process.is_running() for process in running)
    assert (after.returncode, "not running" in after.stdout) == (3, True)
