"""How the pipeline stands. Each store is looked at by itself, in its time; none keeps the others from being told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import KafkaException

from api.answering import Answered, Answering
from api.audit import Actor, Change, record, record_access
from api.disk import DiskWatch
from api.http.problems import Problem
from api.pipeline import Pipeline
from api.pipeline_state import warehouse
from api.pipeline_state.looking import SECONDS, Look, Shared, Unreadable
from api.pipeline_state.rates import SAMPLE_SECONDS, Rate, Rates, counted
from api.pipeline_state.replaying import Replay, Replayer
from api.pipeline_state.warehouse import Built, Canary, Kind, Letter, LiveTable, asked
from api.postgres.database import Pool
from api.results.repository import ResultsReader
from neonblue.consumer_lag import Lag, LagReader
from neonblue.settings import Settings


@dataclass(frozen=True, slots=True)
class Stream:
    """The replication slot. is_read: whether a connector reads from it now. lag_bytes: of the log that it keeps.

    limit_bytes: past it events are refused. behind_seconds: for how long nothing was published that was there to be.
    """

    is_present: bool
    is_read: bool
    lag_bytes: int
    limit_bytes: int
    behind_seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything, as of `at`. takes_events: whether this process can store events. rate: None before it knows."""

    at: datetime
    takes_events: bool
    postgres: Answered
    disk: str
    rate: Rate | None
    stream: Stream
    topic: Look[Sequence[Lag]]
    canary: Look[Canary | None]
    live: Look[tuple[LiveTable, ...]]
    built: Look[tuple[Built, ...]]
    letters: Look[tuple[Kind, ...]]
    replay: Replay | None


class PipelineState:
    """Of one process. writable: whether its queues have somebody to write to."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        pipeline: Pipeline,
        answering: Answering,
        disk: DiskWatch,
        writable: Callable[[], bool],
    ) -> None:
        self._pool, self._pipeline, self._answering, self._disk = pool, pipeline, answering, disk
        self._writable = writable
        self._topic_name = settings.kafka.topic
        self._rates = Rates()
        # Its own: questions of pages must not wait behind those of results, nor for as long.
        self._reader = ResultsReader(settings.clickhouse, int(SECONDS))
        self._lags = LagReader(settings, "api", SECONDS)
        self._replayer = Replayer(settings)
        self._topic = Shared[Sequence[Lag]]("Kafka", self._read_lags)
        self._canary = Shared("ClickHouse", lambda: asked(self._reader, warehouse.read_canary))
        self._live = Shared("ClickHouse", lambda: asked(self._reader, warehouse.read_live))
        self._built = Shared("ClickHouse", lambda: asked(self._reader, warehouse.read_built))
        self._kinds = Shared("ClickHouse", lambda: asked(self._reader, warehouse.read_kinds))

    async def watch(self) -> None:
        """Keep count, for ever."""
        while True:
            self._rates.note(counted(time.monotonic()))
            await asyncio.sleep(SAMPLE_SECONDS)

    def close(self) -> None:
        """Close what is connected. A question that is under way keeps its connection until the process ends."""
        self._reader.close()
        if not self._topic.is_asking:
            self._lags.close()

    async def look(self) -> Seen:
        """Within two seconds, whatever is away. What was seen is shared for five by all who look."""
        (postgres, _), topic, canary, live, built, kinds = await asyncio.gather(
            self._answering.look(),
            self._topic.look(),
            self._canary.look(),
            self._live.look(),
            self._built.look(),
            self._kinds.look(),
        )
        pipeline = self._pipeline
        return Seen(
            at=datetime.now(UTC),
            takes_events=postgres is Answered.OK and self._writable() and not self._disk.full,
            postgres=postgres,
            disk=self._disk.state,
            rate=self._rates.rate,
            stream=Stream(
                pipeline.slot_present,
                pipeline.slot_active,
                pipeline.lag_bytes,
                pipeline.limit_bytes,
                pipeline.age_seconds,
            ),
            topic=topic,
            canary=canary,
            live=live,
            built=built,
            letters=kinds,
            replay=self._replayer.last,
        )

    async def letters(self, error: str, actor: Actor) -> Look[tuple[Letter, ...]]:
        """The newest dead letters of one error. They may be about people: who reads them is in the audit log.

        Raises Problem 503 where that can't be written.
        """
        look = await Shared(
            "ClickHouse",
            lambda: asked(self._reader, lambda client: warehouse.read_letters(client, error)),
        ).look()
        if look.value:
            async with self._pool.transaction() as connection:
                read = Change("read", "dead_letters", error, None, {"letters": len(look.value)})
                await record_access(connection, actor, read)
        return look

    async def replay(self, actor: Actor) -> None:
        """Send what is missing down the stream again, with an entry in the audit log; it goes on by itself.

        Raises Problem 409 while one is under way, 503 where nobody would carry it.
        """
        if not self._pipeline.slot_present:
            raise Problem(
                503,
                "stream_missing",
                "PostgreSQL has no replication slot for the stream: nobody would carry what is sent",
            )
        self._replayer.check()
        async with self._pool.transaction() as connection:
            await record(connection, actor, Change("replay", "stream", self._topic_name, None, None))
        self._replayer.begin(actor.name)

    async def _read_lags(self) -> Sequence[Lag]:
        try:
            return await asyncio.to_thread(self._lags.read)
        except KafkaException:
            raise Unreadable(
                "Kafka does not answer, or the API may not ask how far ClickHouse has read."
            ) from None
        except KeyError:
            raise Unreadable("Kafka has no such topic yet.") from None
