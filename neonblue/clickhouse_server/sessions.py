"""Sessions: a connection kept for one client, with its temporary tables, SETs and database."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping

from neonblue.clickhouse_server.engine import Connection, Engine, Profile, identifier, quoted
from neonblue.clickhouse_server.errors import SESSION_IS_LOCKED, SESSION_NOT_FOUND, ClickHouseError
from neonblue.clickhouse_server.request import SessionRequest


class Session:
    """One client's connection.

    A request's own settings and database hold for that request only, so what they displace is remembered and
    put back; two equal requests in a row displace nothing. A read-only connection can't be changed once it is
    open, and holds no state but its database: other settings are another connection.
    """

    def __init__(self, engine: Engine, timeout: float, *, readonly: bool) -> None:
        self._engine = engine
        self._readonly = readonly
        self.connection = self._connected({})
        self.timeout = timeout
        self.busy = False
        self.expires = 0.0
        self._displaced: dict[str, str | None] = {}
        self._applied: dict[str, str] = {}
        self._database = self._used = self._current_database()

    def fits(self, settings: Mapping[str, str], database: str) -> bool:
        """Whether the connection is what a request asks for, so that `prepare` has nothing to do."""
        return settings == self._applied and (database or self._database) == self._used

    def prepare(self, settings: Mapping[str, str], database: str) -> None:
        """Make the connection what a request asks for. Raises RuntimeError on unknown names."""
        if settings != self._applied:
            if self._readonly:
                self._reconnect(dict(settings))
            else:
                self._restore()
                self._displace(dict(settings))
        database = database or self._database
        if database != self._used:
            self.connection.run(f"USE {identifier(database)}")
            self._used = database

    def remember(self, verb: str) -> None:
        """After a statement that changed the connection itself."""
        if verb == "USE":
            self._database = self._used = self._current_database()

    def _connected(self, settings: Mapping[str, str]) -> Connection:
        profile = Profile(readonly=self._readonly, database="", settings=frozenset(settings.items()))
        return self._engine.connect(profile)

    def _reconnect(self, settings: dict[str, str]) -> None:
        fresh = self._connected(settings)
        self.connection.close()
        self.connection = fresh
        self._used = self._current_database()
        self._applied = settings

    def _restore(self) -> None:
        if self._displaced:
            self.connection.set(self._displaced)
            self._displaced = {}
        self._applied = {}

    def _displace(self, wanted: dict[str, str]) -> None:
        if not wanted:
            return
        names = ", ".join(quoted(name) for name in wanted)
        query = f"SELECT name, changed, base64Encode(value) FROM system.settings WHERE name IN ({names})"  # noqa: S608
        displaced: dict[str, str | None] = {}
        for name, changed, value in self.connection.rows(query):
            displaced[name] = _decoded(value) if changed == "1" else None
        self._displaced = displaced
        self.connection.set(wanted)
        self._applied = wanted

    def _current_database(self) -> str:
        ((encoded,),) = self.connection.rows("SELECT base64Encode(currentDatabase())")
        return _decoded(encoded)


def _decoded(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "surrogateescape")


class Sessions:
    """The open sessions, by user and name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[tuple[str, str], Session] = {}

    def take(self, user: str, asked: SessionRequest, most: int, *, readonly: bool) -> Session:
        """The session, locked for one request; a user has `most` of them.

        Raises ClickHouseError if it is busy (SESSION_IS_LOCKED) or must exist and doesn't.
        """
        self.expire()
        key = (user, asked.name)
        session = self._open.get(key)
        if session is None:
            if asked.check:
                raise ClickHouseError(
                    SESSION_NOT_FOUND, "SESSION_NOT_FOUND", f"Session {asked.name} not found"
                )
            if sum(owner == user for owner, _ in self._open) >= most:
                raise ClickHouseError(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", "Too many open sessions", 503)
            session = self._open[key] = Session(self._engine, asked.timeout, readonly=readonly)
        if session.busy:
            message = f"Session {asked.name} is locked by a concurrent client"
            raise ClickHouseError(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", message)
        session.busy = True
        session.timeout = asked.timeout
        return session

    def give_back(self, user: str, asked: SessionRequest, session: Session) -> None:
        session.busy = False
        session.expires = time.monotonic() + session.timeout
        if asked.close and self._open.pop((user, asked.name), None) is not None:
            session.connection.close()

    def expire(self) -> None:
        """Close what was not used within its timeout."""
        now = time.monotonic()
        for key, session in list(self._open.items()):
            if not session.busy and session.expires < now:
                del self._open[key]
                session.connection.close()

    def close(self) -> None:
        for session in self._open.values():
            session.connection.close()
        self._open.clear()
