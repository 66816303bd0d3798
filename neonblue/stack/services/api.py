"""The ingest and assignment service, and its schema in PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from http import HTTPStatus
from importlib.util import find_spec
from typing import ClassVar

import httpx

from neonblue.settings import Role, Settings
from neonblue.stack.errors import ServiceError, StackError
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.listeners import Address
from neonblue.stack.services.environment import process_environment
from neonblue.stack.services.secret_use import API, CLICKHOUSE, POSTGRES
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Package, Service, Step

_UPGRADE = """
from api.migrations import upgrade
from neonblue.settings import Settings
upgrade(Settings.load().postgres.dsn())
"""


SUCCESSOR = "--successor"
"""Tells a process that another one serves: it takes no connection before it is ready, however long that takes."""
_NEEDED = ("postgres", "experiments")
"""What it can't do its work without. Of the disk its own part tells, of all else `troubles`."""
_KNOWN_ELSEWHERE = ("url", "host", "port", "token")
"""A change of these is for the whole stack's next start."""


class PostgresSchema(Step):
    """PostgreSQL's tables and the publication, by the API's migrations in a process of their own; then who may read."""

    name = "postgres-schema"
    place = 15
    secrets_used = POSTGRES
    postgres_role = Role.API
    requires = ("postgres",)
    attempts = 2

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self) -> None:
        if find_spec("api") is None or find_spec("api.migrations") is None:
            return
        done = subprocess.run(
            [sys.executable, "-c", _UPGRADE],
            env=process_environment(self._settings, self),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(self.name, f"the migration failed: {_said(done.stderr)}")
        if not self._settings.postgres.external:
            from neonblue.stack.services.inside import postgres_roles, postgres_superuser

            with postgres_superuser.connect(self._settings.postgres) as connection:
                postgres_roles.grant(connection)


def _said(text: str) -> str:
    """The error that ended it: its last line that is not the place in a statement, which PostgreSQL draws below."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "LINE "))]
    return lines[-1] if lines else "no message"


class Api(Service):
    name = "api"
    place = 60
    component = "api"
    port_settings = ("port",)
    packages: ClassVar[tuple[Package, ...]] = (Package("fastapi", "the API"),)
    secrets = ("token",)
    secrets_used = (
        POSTGRES
        | CLICKHOUSE
        | API
        | {"valkey_url", "valkey_password", "api_user_id_hash_key", "kafka_password", "kafka_api_password"}
        | {"dagster_url", "dagster_public_url", "dagster_page_secret", "monitoring_grafana_url"}
    )
    postgres_role = Role.API
    requires = ("postgres", "postgres-schema")
    optional = ("valkey",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def listens(self) -> Address:
        return Address(self._settings.api.host, self.ports()[0])

    def command(self) -> Command:
        return _command(self._settings)

    def successor(self, settings: Settings) -> Command:
        return _command(self._renewed(settings), SUCCESSOR)

    def renew(self, settings: Settings) -> None:
        self._settings = self._renewed(settings)

    def _renewed(self, settings: Settings) -> Settings:
        """With the API's settings and those of traces as in `settings`, but those that other processes know it by."""
        kept = {name: getattr(self._settings.api, name) for name in _KNOWN_ELSEWHERE}
        api = settings.api.model_copy(update=kept)
        return self._settings.model_copy(update={"api": api, "traces": settings.traces})

    def answer(self, seconds: float) -> None:
        """One that says of itself that it must be started again counts as one that is silent."""
        response = probe.responds(f"{self._settings.api.address}/healthz", seconds)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise StackError(f"it can't go on: {_lacking(response)}")

    def check(self) -> None:
        """PostgreSQL takes what it writes, and it knows the experiments; also while it refuses events for want of room.

        On a new connection: the process that is asked is the one that takes events now.
        """
        response = probe.responds(f"{self._settings.api.address}/readyz", probe.SECONDS)
        if lacking := _lacking(response, _NEEDED):
            raise StackError(f"it takes no events: {lacking}")


def _command(settings: Settings, *options: str) -> Command:
    return Command(
        arguments=(sys.executable, "-m", "api", *options),
        environment=process_environment(settings, Api),
        folder=settings.data_dir,
    )


def _lacking(response: httpx.Response, needed: Collection[str] = ("status",)) -> str:
    """What the answer names as not well, of what is needed; its status where it does not speak of that."""
    try:
        told = response.json()
        parts = told.get("components", told)
        found = {name: parts[name] for name in needed}
    except (ValueError, KeyError, AttributeError, TypeError):
        return f"status {response.status_code}"
    return ", ".join(f"{name}: {state}" for name, state in found.items() if state != "ok")
