"""Writes summed up calls to the log every so often, in the background: no call waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import structlog

from api.audit.record import Actor, Change, actor_of, record_all
from api.audit.summary import OTHERS, UNKNOWN, Action, Count, Kind, Summary
from api.http.refusal_log import Refusal
from api.metrics import AUDIT_LOST_CALLS, AUDIT_UNWRITTEN_CALLS
from api.postgres.database import Connection, Pool
from neonblue.contract.instants import format_instant

log = structlog.get_logger("api.audit")

_REFUSED = frozenset({401, 403, 429})
"""Of those who may not, as against those who erred."""
_READING = frozenset({"GET", "HEAD"})
_FOR_PROGRAMS = ("/v1/configuration", "/ofrep/")
"""What each client asks for every few seconds: the running experiments' rules."""
_NOT_FOUND = 404
_LOG_IN = ("POST", "/v1/session")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_AT_ONCE = 100
"""Entries in one transaction: other changes wait for it."""
_LAST_SECONDS = 5.0
_TOKENS = "SELECT id, name, origins IS NOT NULL FROM api_tokens WHERE id = ANY(%s)"


@dataclass(slots=True)
class CallLog:
    """Sums up calls, and writes the sums every `seconds`."""

    pool: Pool
    seconds: float
    summary: Summary = field(default_factory=Summary)

    def read(self, method: str, route: str, token: int, status: int, address: str | None) -> None:
        """Count a call of a known caller, where it only reads and was answered, or found nothing."""
        if method not in _READING or route.startswith(_FOR_PROGRAMS):
            return
        if status >= 400 and status != _NOT_FOUND:
            return
        kind = Kind(Action.READ_CALLS, f"{method} {route}", token, status=status)
        self.summary.add(kind, datetime.now(UTC), address)

    def refused(self, refusal: Refusal) -> None:
        """Count a call that was refused for who made it, or for how many that one made."""
        if refusal.status not in _REFUSED:
            return
        method = refusal.method if refusal.method in _METHODS else OTHERS
        action = Action.REFUSED_LOG_INS if (method, refusal.route) == _LOG_IN else Action.REFUSED_CALLS
        kind = Kind(
            action, f"{method} {refusal.route}", refusal.bearer, status=refusal.status, code=refusal.code
        )
        self.summary.add(kind, datetime.now(UTC), refusal.address)

    async def work(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self.seconds)
            await self.write()

    async def write(self) -> None:
        """Write what was counted. What can't be written waits for the next time, and is told by a metric.

        Where a connection breaks while PostgreSQL commits, calls may be written twice: rather that than none.
        """
        waiting = self.summary.take()
        try:
            while waiting:
                async with self.pool.transaction() as connection:
                    await _write(connection, waiting[:_AT_ONCE])
                waiting = waiting[_AT_ONCE:]
        except Exception as error:  # this work must go on, whatever came in its way
            log.warning("audit_calls_unwritten", error=type(error).__name__, exc_info=_unforeseen(error))
        finally:
            self.summary.put_back(waiting)
            AUDIT_UNWRITTEN_CALLS.set(sum(count.calls for _, count in waiting))

    async def finish(self) -> None:
        """Write the last, within some seconds; what is lost then is said in the process's own log."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.write()
        except TimeoutError:
            log.warning("audit_calls_unwritten", error="TimeoutError")
        lost = self.summary.calls
        if lost:
            AUDIT_LOST_CALLS.inc(lost)
            log.error("audit_calls_lost", calls=lost)


async def _write(connection: Connection, waiting: Collection[tuple[Kind, Count]]) -> None:
    known = await _tokens(connection, {kind.token for kind, _ in waiting if kind.token is not None})
    await record_all(
        connection, [(_actor(kind, count, known), _entry(kind, count)) for kind, count in waiting]
    )


async def _tokens(connection: Connection, tokens: Collection[int]) -> Mapping[int, tuple[str, bool]]:
    """Of each: its name, and whether it is publishable."""
    cursor = await connection.execute(_TOKENS, (list(tokens),))
    return {number: (name, publishable) for number, name, publishable in await cursor.fetchall()}


def _actor(kind: Kind, count: Count, known: Mapping[int, tuple[str, bool]]) -> Actor:
    if kind.token is None:
        return Actor(OTHERS, None) if kind.of_tokens else Actor(UNKNOWN, None, count.address)
    name, publishable = known.get(kind.token, ("", False))
    # Whoever calls with a publishable token is a visitor, whose address has no place in a log that forgets nothing.
    return Actor(actor_of(kind.token, name), None, None if publishable else count.address)


def _entry(kind: Kind, count: Count) -> Change:
    told = {"calls": count.calls, "first": format_instant(count.first), "last": format_instant(count.last)}
    further = {name: value for name, value in (("status", kind.status), ("code", kind.code)) if value}
    return Change(kind.action, "route", kind.route, None, told | further)


def _unforeseen(error: Exception) -> Exception | None:
    """With its trace, unless PostgreSQL is merely away."""
    return None if isinstance(error, psycopg.Error | OSError) else error
