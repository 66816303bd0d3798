"""Kafka Connect, and the Debezium connector on it."""

from __future__ import annotations

import shutil
import time
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from neonblue.files import write_private
from neonblue.settings import ConnectSettings, Role, Settings
from neonblue.stack import jars, java, probe, templates
from neonblue.stack.environment import process_environment
from neonblue.stack.errors import ServiceError
from neonblue.stack.nodes import Service, Step
from neonblue.stack.ports import PortUse
from neonblue.stack.process import Command
from neonblue.stack.services.kafka import jar_cache

_CONFIGURATION = "worker.properties"
_LOGIN = "login.conf"
_USERS = "users.properties"
_START_SECONDS = 20.0
_POLL_SECONDS = 0.1

_log = structlog.get_logger("neonblue.stack")


def database_variables(settings: Settings) -> dict[str, str]:
    """Where Debezium finds PostgreSQL: the variables that the connector's configuration names."""
    address = conninfo_to_dict(settings.postgres.acting(Role.CDC).dsn())
    return {
        "NEONBLUE_CDC_HOST": str(address.get("host", "127.0.0.1")),
        "NEONBLUE_CDC_PORT": str(address.get("port", 5432)),
        "NEONBLUE_CDC_USER": str(address.get("user", "")),
        "NEONBLUE_CDC_PASSWORD": str(address.get("password", "")),
        "NEONBLUE_CDC_DATABASE": str(address.get("dbname", "")),
        "NEONBLUE_CDC_SSLMODE": str(address.get("sslmode", "prefer")),
    }


def credentials(connect: ConnectSettings) -> dict[str, Any]:
    """What a call to Kafka Connect must say of its caller. An external one's address says it."""
    return {} if connect.credentials is None else {"auth": connect.credentials}


class Connect(Service):
    name = "connect"
    requires = ("jars", "kafka", "topics")
    uses = ("postgres",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "connect"

    def ports(self) -> tuple[PortUse, ...]:
        return (PortUse(self._settings.connect.port, self.name, "NEONBLUE_CONNECT_PORT"),)

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        java.prepare(self._folder, jar_cache(self._settings))
        worker = templates.worker(self._settings, java.JARS / self._jars().plugin_path)
        write_private(self._folder / _CONFIGURATION, worker)
        write_private(self._folder / _LOGIN, templates.connect_login())
        write_private(self._folder / _USERS, templates.connect_users(self._settings))
        if (certificates := self._settings.kafka.ssl_ca_location) is not None:
            shutil.copyfile(certificates, self._folder / templates.KAFKA_CERTIFICATES)

    def _jars(self) -> jars.Jars:
        return jars.ensure(jar_cache(self._settings), jars.locked())

    def command(self) -> Command:
        return Command(
            arguments=java.arguments(
                "org.apache.kafka.connect.cli.ConnectDistributed",
                _CONFIGURATION,
                self._jars().class_path,
                self._settings.connect.heap_megabytes,
                [f"java.security.auth.login.config={_LOGIN}"],
            ),
            environment=process_environment(self._settings, self.name)
            | database_variables(self._settings)
            | java.ENVIRONMENT,
            folder=self._folder,
        )

    def answer(self, seconds: float) -> None:
        probe.responds(self._settings.connect.address, seconds)

    def check(self) -> None:
        """The worker has joined its group and answers."""
        connect = self._settings.connect
        probe.get(f"{connect.address}/health", **credentials(connect))


class Connector(Step):
    """The Debezium connector: registered where it is not there as it should be, then watched."""

    name = "connector"
    requires = ("connect", "topics", "postgres", "postgres-schema")
    watch_seconds = 3.0
    attempts = 10

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = f"{settings.connect.address}/connectors/{settings.connect.connector}"
        self._caller = credentials(settings.connect)
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def run(self) -> None:
        self._give_up_lost_slot()
        if not self._is_registered():
            probe.put(f"{self._address}/config", templates.connector(self._settings), **self._caller)
        self._wait_for_running()

    def _wait_for_running(self) -> None:
        """The worker takes a second to start what it was given; a task that failed says so at once."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return self.check()
            except (ServiceError, probe.HTTPStatusError) as error:
                if time.monotonic() > deadline or "FAILED" in str(error):
                    raise
                time.sleep(_POLL_SECONDS)

    def _is_registered(self) -> bool:
        """Whether the worker has this very configuration: putting it again would restart the connector."""
        try:
            present: dict[str, str] = probe.get(f"{self._address}/config", **self._caller).json()
        except probe.HTTPStatusError as error:
            if error.response.status_code == 404:
                return False
            raise
        present.pop("name", None)
        return present == templates.connector(self._settings)

    def check(self) -> None:
        """The connector and its task are RUNNING, and its slot still holds the WAL it needs."""
        states = self._states()
        if not states["tasks"] or any(
            part["state"] != "RUNNING" for part in (states["connector"], *states["tasks"])
        ):
            raise ServiceError(self.name, _summary(states))
        if self._slot_is_lost():
            raise ServiceError(self.name, f"PostgreSQL has given up the slot {self._settings.connect.slot}")

    def _states(self) -> dict[str, Any]:
        states: dict[str, Any] = probe.get(f"{self._address}/status", **self._caller).json()
        return states

    def mend(self) -> None:
        """Start again what failed; first drop a slot that PostgreSQL has given up.

        Debezium would wait half an hour for such a slot. With a new one it reads the whole outbox again
        (`snapshot.mode=when_needed`): what the lost slot would have delivered is among it, and what was
        delivered before is recognised by its ids.
        """
        if self._give_up_lost_slot():
            probe.post(f"{self._address}/restart?includeTasks=true", **self._caller)
        states = self._states()
        if "FAILED" in (states["connector"]["state"], *(task["state"] for task in states["tasks"])):
            _log.warning("connector_restarts", reason=_summary(states))
            probe.post(f"{self._address}/restart?includeTasks=true&onlyFailed=true", **self._caller)

    def _slot_is_lost(self) -> bool:
        row = self._execute("SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = %s")
        return row is not None and row[0] is True

    def _give_up_lost_slot(self) -> bool:
        if not self._slot_is_lost():
            return False
        self._execute("SELECT pg_drop_replication_slot(%s)")
        _log.warning("slot_lost", slot=self._settings.connect.slot, then="the outbox is published again")
        return True

    def _execute(self, query: str) -> tuple[object, ...] | None:
        """One row about the slot, over a connection that is kept."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._settings.postgres.acting(Role.SUPERVISOR).dsn(),
                    connect_timeout=3,
                    autocommit=True,
                    application_name="neonblue-stack",
                )
            return self._connection.execute(query, [self._settings.connect.slot]).fetchone()
        except psycopg.Error:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _summary(states: dict[str, Any]) -> str:
    parts = [states["connector"], *states["tasks"]]
    traces = [part["trace"].splitlines()[0] for part in parts if part.get("trace")]
    return ", ".join(
        ["connector " + parts[0]["state"], *(f"task {part['state']}" for part in parts[1:]), *traces]
    )
