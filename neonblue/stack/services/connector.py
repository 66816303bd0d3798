"""The Debezium connector on Kafka Connect, and the replication slot that it reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog

from neonblue.settings import Role, Settings
from neonblue.stack.errors import ServiceError
from neonblue.stack.services import templates
from neonblue.stack.services.connect import credentials
from neonblue.stack.supervisor import probe
from neonblue.stack.supervisor.nodes import Step

if TYPE_CHECKING:
    import psycopg

_START_SECONDS = 20.0
_POLL_SECONDS = 0.1
_SLOT_SECONDS = 10.0
"""Debezium makes a slot that is gone anew within two seconds. One that has not after this long is restarted."""
_HELD = ("PAUSED", "STOPPED")
_SLOT = "SELECT wal_status IS NOT DISTINCT FROM 'lost' FROM pg_replication_slots WHERE slot_name = %s"

_log = structlog.get_logger("neonblue.stack")


class Connector(Step):
    """Registered where it is not there as it should be, then watched."""

    name = "connector"
    place = 55
    requires = ("connect", "topics", "postgres", "postgres-schema")
    watch_seconds = 3.0
    attempts = 10

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = f"{settings.connect.address}/connectors/{settings.connect.connector}"
        self._caller = credentials(settings.connect)
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._slot_seen = time.monotonic()

    def run(self) -> None:
        self._give_up_lost_slot()
        self._register()
        self._wait_for_running()

    def _wait_for_running(self) -> None:
        """The worker takes a second to start what it was given; a task that failed says so at once."""
        deadline = time.monotonic() + _START_SECONDS
        self._slot_seen = time.monotonic()
        while True:
            try:
                return self.check()
            except (ServiceError, probe.HTTPStatusError) as error:
                if time.monotonic() > deadline or "FAILED" in str(error):
                    raise
                time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """It is registered as it shall be, it and its task are RUNNING, and its slot still holds the log it needs."""
        if why := self._unregistered():
            raise ServiceError(self.name, why)
        states = self._states()
        if not states["tasks"] or any(
            part["state"] != "RUNNING" for part in (states["connector"], *states["tasks"])
        ):
            raise ServiceError(self.name, _summary(states))
        if self._slot_is_lost():
            raise ServiceError(self.name, f"PostgreSQL has given up the slot {self._settings.connect.slot}")
        if self._slot_is_missing():
            raise ServiceError(self.name, f"PostgreSQL has no slot {self._settings.connect.slot}")

    def mend(self) -> None:
        """Register it again, let it go on, start again what failed; first drop a slot that PostgreSQL has given up.

        Debezium would wait half an hour for such a slot. With a new one it reads the whole outbox again
        (`snapshot.mode=when_needed`): what the lost slot would have delivered is among it, and what was
        delivered before is recognised by its ids.
        """
        if self._give_up_lost_slot():
            self._restart("the slot was given up")
        if self._register():
            return
        states = self._states()
        if states["connector"]["state"] in _HELD:
            _log.warning("connector_resumed", was=states["connector"]["state"])
            probe.put(f"{self._address}/resume", None, **self._caller)
        elif "FAILED" in (states["connector"]["state"], *(task["state"] for task in states["tasks"])):
            self._restart(_summary(states), "&onlyFailed=true")
        elif self._slot_is_missing():
            self._slot_seen = time.monotonic()
            self._restart("its slot is missing")

    def _unregistered(self) -> str:
        """Why it must be registered: it is not, or not as it shall be; '' where it is."""
        try:
            present: dict[str, str] = probe.get(f"{self._address}/config", **self._caller).json()
        except probe.HTTPStatusError as error:
            if error.response.status_code == 404:
                return "it is not registered"
            raise
        wanted = templates.connector(self._settings)
        present.pop("name", None)
        if present == wanted:
            return ""
        # Names alone: a value may be a secret that somebody has put there.
        names = sorted(name for name in {*present, *wanted} if present.get(name) != wanted.get(name))
        return f"it is registered with another {', '.join(names)}"

    def _register(self) -> bool:
        """Put the configuration where it is not there; whether that was so. Else putting it would restart it."""
        why = self._unregistered()
        if why:
            _log.warning("connector_registered", because=why)
            probe.put(f"{self._address}/config", templates.connector(self._settings), **self._caller)
        return bool(why)

    def _restart(self, reason: str, which: str = "") -> None:
        _log.warning("connector_restarts", reason=reason)
        probe.post(f"{self._address}/restart?includeTasks=true{which}", **self._caller)

    def _states(self) -> dict[str, Any]:
        states: dict[str, Any] = probe.get(f"{self._address}/status", **self._caller).json()
        return states

    def _slot_is_missing(self) -> bool:
        """For longer than Debezium takes to make it."""
        if self._slot() is not None:
            self._slot_seen = time.monotonic()
        return time.monotonic() - self._slot_seen > _SLOT_SECONDS

    def _slot_is_lost(self) -> bool:
        return self._slot() == (True,)

    def _give_up_lost_slot(self) -> bool:
        if not self._slot_is_lost():
            return False
        self._execute("SELECT pg_drop_replication_slot(%s)")
        _log.warning("slot_lost", slot=self._settings.connect.slot, then="the outbox is published again")
        return True

    def _slot(self) -> tuple[object, ...] | None:
        return self._execute(_SLOT)

    def _execute(self, query: str) -> tuple[object, ...] | None:
        """One row about the slot, over a connection that is kept."""
        import psycopg

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
