"""The API as a process of its own, on a PostgreSQL of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from api.migrations import upgrade
from neonblue.settings import PostgresSettings, Settings
from neonblue.stack.services.postgres import Postgres

TOKEN = secrets.token_hex(16)
DEADLINE_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """PostgreSQL as the stack runs it; can be stopped and started again."""

    service: Postgres
    dsn: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.service.prepare()
        command = self.service.command()
        account = command.account
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command.arguments,
                env=dict(command.environment),
                cwd=command.folder,
                stdout=log,
                stderr=log,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        wait_until(self.service.check)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(self.service.command().stop_signal)
            self.process.wait(30)
            self.process = None


def wait_until(check: object) -> None:
    assert callable(check)
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = 0.05
    while True:
        try:
            check()
        except (psycopg.Error, httpx.HTTPError, OSError):
            if time.monotonic() > deadline:
                raise
            # Between two looks, not for the condition itself.
            time.sleep(pause)
        else:
            return


@contextmanager
def running_postgres(folder: Path) -> Iterator[tuple[Settings, Server]]:
    """PostgreSQL with its databases, in this folder, and the settings that lead to it."""
    own = PostgresSettings(port=_free_port(), password=SecretStr(secrets.token_hex(8)))
    settings = Settings(data_dir=folder, postgres=own)
    server = Server(Postgres(settings), own.dsn(), folder / "postgres.log")
    server.start()
    try:
        server.service.settle()
        yield settings, server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as (_, server):
        upgrade(server.dsn)
        yield server


@pytest.fixture(scope="session")
def api(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port = _free_port()
    folder = tmp_path_factory.mktemp("api")
    environment = os.environ | {
        "NEONBLUE_POSTGRES_URL": postgres.dsn,
        "NEONBLUE_API_PORT": str(port),
        "NEONBLUE_API_TOKEN": TOKEN,
        "NEONBLUE_DATA_DIR": str(folder),
    }
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stdout=log, stderr=log)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30
        ) as client:
            wait_until(lambda: client.get("/readyz").raise_for_status())
            yield client
    finally:
        process.terminate()
        process.wait(30)
