"""Whether keys are still asked for: what this process counted, and what all of them stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import psycopg
import structlog

from api.demand import repository
from api.demand.counts import Counts
from api.demand.repository import HourCount
from api.demand.schemas import CountOut, EvaluationsOut, HourOut
from api.disk import DiskWatch
from api.http.problems import Problem, found
from api.metrics import EVALUATIONS_LOST
from api.postgres.database import Clock, Connection, Pool
from api.postgres.failures import Unavailable
from neonblue.contract.instants import format_instant

log = structlog.get_logger("api.demand")

IN_USE_DAYS = 7
"""A key that was asked for within so many days is in use."""

_SECONDS = 5.0
_AT_ONCE = 1_000
"""Rows in one statement."""
_LAST_SECONDS = 5.0
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Demand:
    """Stores every five seconds what was counted; a crash loses no more. Nothing waits for it."""

    pool: Pool
    disk: DiskWatch
    counts: Counts = field(default_factory=Counts)
    _clock: Clock | None = field(default=None, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _failing: bool = field(default=False, init=False)

    async def work(self) -> None:
        """Until it is cancelled. It sweeps at an hour's end too, so that each answer counts in its own hour."""
        while True:
            await asyncio.sleep(min(_SECONDS, self._seconds_left()))
            await asyncio.shield(
                self.flush()
            )  # one that is under way when the process ends is not sent twice

    async def flush(self) -> None:
        """Store what was counted. What can't be stored waits for the next time.

        Where a connection breaks while PostgreSQL commits, it may be counted twice: rather that than not at all.
        """
        async with self._flushing:
            if self._clock is not None:
                self.counts.sweep(self._clock.now())
            if not self.counts:
                return
            try:
                self.disk.admit()
                async with self.pool.connection() as connection:
                    await self._write(connection)
            except Exception as error:  # this work must go on, whatever came in its way
                self._tell_failure(error)
            else:
                self._failing = False
            finally:
                self.counts.settle(written=False)
                self._tell_lost()

    async def finish(self) -> None:
        """Store the last, within some seconds; what is lost then is said in the process's own log."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.flush()
        except TimeoutError:
            log.warning("evaluations_unwritten", error="TimeoutError")
        if self.counts:
            EVALUATIONS_LOST.inc(self.counts.total)
            log.error("evaluations_lost", evaluations=self.counts.total)

    async def refuse_in_use(self, connection: Connection, experiment_id: int) -> None:
        """Raises Problem `still_evaluated` where the experiment's key was asked for in the last seven days.

        What other processes counted in the last five seconds is not known here.
        """
        held = self.counts.held(
            experiment_id
        )  # before the look: what is stored meanwhile counts rather twice
        asked = await repository.read_asked(connection, experiment_id, IN_USE_DAYS)
        count, last = asked.count + held, asked.now if held else asked.last_at
        if last is None:
            return
        times = "once" if count == 1 else f"{count:,} times"
        told = (
            f"The key was asked for {times} in the last {IN_USE_DAYS} days, the last time at {format_instant(last)}: "
            "take it out of the code first, or archive with force and a reason"
        )
        members = {"evaluations": count, "last_asked_at": format_instant(last)}
        raise Problem(409, "still_evaluated", told, members=members)

    async def of(self, key: str, since: datetime | None, hours: int) -> EvaluationsOut:
        """How often the key was asked for in so many hours, from `since` on or up to now.

        Raises Problem `not_found`.
        """
        async with self.pool.connection() as connection:
            experiment_id = found(await repository.find_experiment(connection, key), "experiment")
            counted_since, now = await repository.read_since(connection)
            start = _hour_of((since or now - timedelta(hours=hours - 1)).astimezone(UTC))
            end = start + timedelta(hours=hours)
            asked = await repository.read_asked(connection, experiment_id, None)
            counts = await repository.read_hours(connection, experiment_id, start, end)
        return EvaluationsOut(
            experiment=key,
            counted_since=counted_since,
            since=start,
            until=end,
            total=sum(count for *_, count in counts),
            first_asked_at=asked.first_at,
            last_asked_at=asked.last_at,
            counts=_totals(counts),
            hours=[_hour(hour, list(of_hour)) for hour, of_hour in groupby(counts, key=itemgetter(0))],
        )

    async def _write(self, connection: Connection) -> None:
        self._clock = await Clock.of(connection)
        self.counts.sweep(self._clock.now())
        while rows := self.counts.take(_AT_ONCE):
            await repository.add(connection, rows)
            self.counts.settle(written=True)

    def _seconds_left(self) -> float:
        """Of this hour, by PostgreSQL's clock."""
        if self._clock is None:
            return _SECONDS
        now = self._clock.now()
        return (_hour_of(now) + _HOUR - now).total_seconds()

    def _tell_failure(self, error: Exception) -> None:
        """Once for each outage; with its trace, unless PostgreSQL or room is merely lacking."""
        if not self._failing:
            foreseen = isinstance(error, psycopg.Error | OSError | Unavailable)
            log.warning(
                "evaluations_unwritten", error=type(error).__name__, exc_info=None if foreseen else error
            )
        self._failing = True

    def _tell_lost(self) -> None:
        if self.counts.lost:
            EVALUATIONS_LOST.inc(self.counts.lost)
            self.counts.lost = 0


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _totals(counts: list[HourCount]) -> list[CountOut]:
    """Over all hours, most frequent first."""
    totals: dict[tuple[str, str], int] = {}
    for _, variant, reason, count in counts:
        totals[variant, reason] = totals.get((variant, reason), 0) + count
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [_count(variant, reason, count) for (variant, reason), count in ordered]


def _hour(hour: datetime, counts: list[HourCount]) -> HourOut:
    return HourOut(
        hour=hour,
        total=sum(count for *_, count in counts),
        counts=[_count(variant, reason, count) for _, variant, reason, count in counts],
    )


def _count(variant: str, reason: str, count: int) -> CountOut:
    return CountOut(variant_key=variant or None, reason=reason, count=count)
