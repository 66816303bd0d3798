"""Who has which secret, and what Kafka Connect tells those who have none: on one whole stack."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from pydantic import BaseModel

from neonblue.settings import Role, Settings
from neonblue.settings.faults import is_secret
from neonblue.stack import Stack
from neonblue.stack.processes.process import members
from neonblue.stack.services.connect import credentials
from neonblue.stack.supervisor import record

ALLOWED: dict[str, set[str]] = {
    "postgres": set(),
    "valkey": set(),
    "kafka": set(),
    "connect": {"postgres_cdc_password"},
    # It clears them away once it has read them.
    "clickhouse": set(),
    "api": {
        "postgres_api_password",
        "valkey_password",
        "clickhouse_password",
        "kafka_api_password",
        "api_token",
        "dagster_page_secret",
    },
    "dagster-code": {
        "postgres_orchestration_password",
        "postgres_dagster_password",
        "clickhouse_password",
        "kafka_dagster_password",
        "api_token",
    },
    "dagster-daemon": {"postgres_dagster_password"},
    "dagster": {"postgres_dagster_password", "dagster_token", "dagster_page_secret"},
}
VALIDATE = "/connector-plugins/io.debezium.connector.postgresql.PostgresConnector/config/validate"
CLASS = "io.debezium.connector.postgresql.PostgresConnector"


@pytest.fixture(scope="module")
def stack(module_settings: Settings) -> Iterator[Stack]:
    with Stack(module_settings) as running:
        running.wait_ready(timeout=500)
        yield running


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings


def secrets(settings: Settings) -> dict[str, str]:
    """Every generated secret by its setting's name."""
    found = {}
    for component in type(settings).model_fields:
        owner = getattr(settings, component)
        if isinstance(owner, BaseModel):
            for name, field in type(owner).model_fields.items():
                value = getattr(owner, name)
                if is_secret(field) and value and not isinstance(value, tuple) and value.get_secret_value():
                    found[f"{component}_{name}"] = value.get_secret_value()
    return found


@pytest.mark.timeout(900)
def test_each_process_holds_the_secrets_that_it_uses_and_no_other(settings: Settings) -> None:
    generated = secrets(settings)
    held: dict[str, set[str]] = {}
    for status in record.read(settings.data_dir):
        if status.identity is not None:
            for process in members(status.identity):
                text = "\n".join([*_environment(process), *process.cmdline()])
                has = {name for name, secret in generated.items() if secret in text}
                held.setdefault(status.name, set()).update(has)

    assert held == ALLOWED


def _environment(process: psutil.Process) -> list[str]:
    return list(process.environ().values())


@contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A server that asks for a clear-text password, as PostgreSQL may, and keeps what it is told."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    told.append(connection.recv(4096))
                    connection.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")
                    told.append(connection.recv(4096))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], told
        finally:
            over.set()
            thread.join()


def attack(port: int, **more: str) -> dict[str, str]:
    return {
        "connector.class": CLASS,
        "name": "mine",
        "topic.prefix": "mine",
        "database.hostname": "127.0.0.1",
        "database.port": str(port),
        "database.user": "x",
        "database.password": "${env:NEONBLUE_CDC_PASSWORD}",
        "database.dbname": "x",
        "database.sslmode": "disable",
        **more,
    }


@pytest.mark.parametrize("caller", [None, ("neonblue", ""), ("neonblue", "guessed"), ("", "")])
def test_connect_sends_no_secret_for_a_caller_without_the_password(
    settings: Settings, caller: tuple[str, str] | None
) -> None:
    address = settings.connect.address
    # Each on a connection of its own: Connect closes one on which it has left a body unread.
    headers = {"connection": "close"}
    with (
        listener() as (port, told),
        httpx.Client(trust_env=False, timeout=30, auth=caller, headers=headers) as http,
    ):
        for more in ({}, {"database.dbname": "${env:NEONBLUE_CDC_PASSWORD}"}):
            answers = [
                http.put(f"{address}{VALIDATE}", json=attack(port, **more)),
                http.put(f"{address}/connectors/mine/config", json=attack(port, **more)),
                http.post(f"{address}/connectors", json={"name": "mine", "config": attack(port, **more)}),
            ]
            assert [answer.status_code for answer in answers] == [401, 401, 401]

    assert told == []
    log = (settings.data_dir / "logs" / "connect.log").read_text()
    assert settings.postgres.password_of(Role.CDC).get_secret_value() not in log
    assert settings.connect.password.get_secret_value() not in log


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/connectors"),
        ("HEAD", "/connectors"),
        ("OPTIONS", "/connectors"),
        ("GET", "/connectors/{name}"),
        ("GET", "/connectors/{name}/config"),
        ("GET", "/connectors/{name}/offsets"),
        ("DELETE", "/connectors/{name}"),
        ("DELETE", "/connectors/{name}/offsets"),
        ("PUT", "/connectors/{name}/stop"),
        ("POST", "/connectors/{name}/restart"),
        ("GET", "/connectors/{name}/tasks"),
        ("GET", "/connector-plugins"),
        ("GET", "/connector-plugins/{class}/config"),
        ("GET", "/admin/loggers"),
        ("PUT", "/admin/loggers/root"),
    ],
)
def test_every_path_of_connect_asks_for_the_password(settings: Settings, method: str, path: str) -> None:
    assert _status(settings, method, path) == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/connectors/{name}/tasks"),
        ("GET", "/application.wadl"),
        ("GET", "//connectors"),
        ("GET", "/connectors/"),
        ("GET", "/Connectors"),
        ("GET", "/connectors/{name}/tasks/../config"),
        ("POST", "/connectors/{name}/tasks/../../{name}/restart"),
        ("POST", "/connectors;x/{name}/restart"),
        ("PUT", "/connectors/x/fence/../../{name}/stop"),
        ("PUT", "/connectors/{name}%2Ffence"),
        ("TRACE", "/connectors"),
    ],
)
def test_no_odd_way_of_writing_a_path_goes_past_it(settings: Settings, method: str, path: str) -> None:
    assert _status(settings, method, path) in (400, 401, 404, 405)


def _status(settings: Settings, method: str, path: str) -> int:
    target = path.replace("{name}", settings.connect.connector).replace("{class}", CLASS)
    # Raw: a client would tidy the path up.
    with socket.create_connection(("127.0.0.1", settings.connect.port), timeout=30) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(("method", "path"), [("POST", "tasks"), ("PUT", "fence")])
def test_what_workers_say_to_each_other_needs_their_signature(
    settings: Settings, method: str, path: str
) -> None:
    """These two paths ask for no password."""
    target = f"{settings.connect.address}/connectors/{settings.connect.connector}/{path}"
    signed = {"X-Connect-Authorization": "bm8=", "X-Connect-Request-Signature-Algorithm": "HmacSHA256"}
    body = [{"connector.class": CLASS, "database.hostname": "127.0.0.1"}] if method == "POST" else None
    with httpx.Client(trust_env=False, timeout=30) as http:
        answers = [http.request(method, target, json=body, headers=headers) for headers in ({}, signed)]

    assert all(answer.status_code in (400, 403) for answer in answers), [one.text for one in answers]


def test_the_holder_of_the_password_is_answered(settings: Settings) -> None:
    caller = credentials(settings.connect)
    answer = httpx.get(f"{settings.connect.address}/connectors", trust_env=False, **caller)

    assert answer.json() == [settings.connect.connector]


def test_the_files_of_connect_s_password_are_its_owner_s_alone(settings: Settings) -> None:
    folder = settings.data_dir / "connect"
    secret = settings.connect.password.get_secret_value()
    holding = [
        file for file in folder.iterdir() if file.is_file() and secret in file.read_text(errors="replace")
    ]

    assert [file.name for file in holding] == ["users.properties"]
    assert holding[0].stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0
