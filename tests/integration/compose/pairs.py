"""A primary and its standby by the overlay ``ha.yaml``'s own scripts and files, on real servers on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg

from neonblue.compose import deployment, kept
from neonblue.compose.kept import Kept
from neonblue.settings import Role
from neonblue.stack.processes.accounts import account_for
from neonblue.stack.processes.ports import free_ports
from neonblue.stack.services import postgres
from neonblue.stack.services.inside import postgres_roles
from tests.unit.compose.deployments import LARGE, compose_config

SECONDS = 90.0
Connection = psycopg.Connection[tuple[object, ...]]
T = TypeVar("T")
_STATE = "SELECT sync_state FROM pg_stat_replication WHERE application_name = 'standby'"


class Pair:
    """A primary and its standby, in a folder that their user can enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        deployment.write(folder / "deployment", LARGE)
        self.keeps: Kept = kept.load(folder / "deployment")
        self._account = account_for(self.keeps.settings.postgres.system_user)
        self._bin = postgres._binaries(self._account) / "bin"
        self.primary, self.standby = free_ports(2)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._services = compose_config(folder / "deployment", overlay="ha.yaml")["services"]
        for name, text in self._files().items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        if self._account is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, self._account.uid, self._account.gid)

    def _files(self) -> dict[str, str]:
        source = self._folder / "deployment"
        port = self.keeps.settings.postgres.port
        texts = {
            "primary.conf": (source / "config/postgresql.conf").read_text(),
            "standby.conf": (source / "config/ha/postgresql-standby.conf").read_text(),
            "pg_hba.conf": (source / "config/ha/pg_hba.conf").read_text(),
            "pgpass": (source / "secrets/ha-standby.pgpass").read_text(),
            "password": (source / "secrets/postgres-password").read_text(),
            **{
                f"{name}.sh": self._services[name]["command"][0].replace("$$", "$")
                for name in ("postgres-standby", "postgres-synchronous")
            },
        }
        places = {
            f"host=postgres port={port}": f"host=127.0.0.1 port={self.primary}",
            f"--host=postgres --port={port}": f"--host=127.0.0.1 --port={self.primary}",
            f"postgres:{port}:": f"127.0.0.1:{self.primary}:",
            "listen_addresses = '*'": "listen_addresses = '127.0.0.1'",
            "/var/run/postgresql": str(self._folder),
            "/run/secrets/standby.pgpass": str(self._folder / "pgpass"),
            "/run/secrets/postgres-password": str(self._folder / "password"),
            "/var/lib/postgresql/18/docker": str(self._folder / "standby"),
            "/etc/postgresql/neonblue.conf": str(self._folder / "standby.conf"),
            "/etc/postgresql/pg_hba.conf": str(self._folder / "pg_hba.conf"),
        }
        for before, after in places.items():
            texts = {name: text.replace(before, after) for name, text in texts.items()}
        for name, own in (("primary.conf", self.primary), ("standby.conf", self.standby)):
            texts[name] = texts[name].replace(f"\nport = {port}", f"\nport = {own}")
        return texts

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        account = self._account
        user = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
        path = f"{self._bin}:{os.environ['PATH']}"
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(  # type: ignore[call-overload]
                [str(word) for word in words],
                cwd=self._folder,
                env={"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(self._folder)},
                stdout=log,
                stderr=log,
                **user,
            )
        self._processes.append(process)
        return process

    def done(self, *words: object) -> None:
        assert self.start(*words).wait(timeout=SECONDS) == 0, self.log()[-2000:]

    def start_primary(self) -> subprocess.Popen[bytes]:
        data = self._folder / "primary"
        self.done(
            "initdb",
            "-D",
            data,
            "-U",
            "neonblue",
            f"--pwfile={self._folder / 'password'}",
            "-A",
            "scram-sha-256",
        )
        return self.serve_primary()

    def serve_primary(self) -> subprocess.Popen[bytes]:
        options = {"config_file": "primary.conf", "hba_file": "pg_hba.conf"}
        words = [f"--{name}={self._folder / file}" for name, file in options.items()]
        return self.start("postgres", "-D", self._folder / "primary", *words)

    def start_standby(self) -> subprocess.Popen[bytes]:
        return self.start("/bin/bash", "-eu", "postgres-standby.sh")

    def lose_standby(self) -> None:
        """With all that it held."""
        shutil.rmtree(self._folder / "standby")

    def go_back(self) -> subprocess.Popen[bytes]:
        """To what was the standby's data as the primary's."""
        shutil.rmtree(self._folder / "primary")
        (self._folder / "standby").rename(self._folder / "primary")
        return self.serve_primary()

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def enter(self, port: int, database: str = "neonblue") -> Connection:
        """As the superuser, within a minute and a half."""
        password = self.keeps.settings.postgres.password.get_secret_value()
        return until(
            lambda: psycopg.connect(
                host="127.0.0.1",
                port=port,
                user="neonblue",
                password=password,
                dbname=database,
                autocommit=True,
            )
        )

    def insert(self, number: int) -> None:
        """By a session whose statements may take a second."""
        with self.enter(self.primary) as session:
            session.execute("SET statement_timeout = '1s'")
            session.execute("INSERT INTO kept VALUES (%s)", [number])

    def end(self) -> None:
        for name in ("primary", "standby"):
            with suppress(OSError, ValueError):
                number = int((self._folder / name / "postmaster.pid").read_text().split()[0])
                os.kill(number, signal.SIGQUIT)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()


def until(ask: Callable[[], T]) -> T:
    """The first answer that counts as true."""
    ends = time.monotonic() + SECONDS
    while True:
        try:
            if found := ask():
                return found
        except psycopg.OperationalError:
            if time.monotonic() > ends:
                raise
        assert time.monotonic() < ends
        time.sleep(0.3)


def begin(pair: Pair) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], Connection]:
    """Primary, standby and a session of the superuser, once commits wait. The standby is there before its role is."""
    primary = pair.start_primary()
    with pair.enter(pair.primary, "postgres") as first:
        for name in ("neonblue", "dagster"):
            first.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    standby = pair.start_standby()
    until(lambda: f'password authentication failed for user "{Role.SUPERVISOR.login}"' in pair.log())
    owner = pair.enter(pair.primary)
    postgres_roles.reconcile(owner, pair.keeps.settings.postgres)

    pair.enter(pair.standby).close()
    pair.done("/bin/bash", "-eu", "postgres-synchronous.sh")
    until(lambda: synchronous(owner))
    return primary, standby, owner


def synchronous(owner: Connection) -> bool:
    return owner.execute(_STATE).fetchone() == ("sync",)
