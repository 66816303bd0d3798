"""Whether ClickHouse's position in the topic has jumped over messages that it never read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from neonblue.settings import Settings
from neonblue.stack.services.broken_parts import TABLES
from neonblue.stack.services.kafka import admin
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import probe

_log = structlog.get_logger("neonblue.stack")

_REQUEST_SECONDS = 5.0
_READ_SECONDS = 60.0
_NOTED_SECONDS = 60.0
"""How often it is noted on disk. From there it is looked again after a restart."""
_MOST_COUNTED = 20_000_000
"""More messages are not counted: the stores are compared instead."""


@dataclass(frozen=True, slots=True)
class Position:
    """The members of the consumer group, and for each partition the offset up to which it has read."""

    members: frozenset[str]
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of a partition from `start` up to, not including, `end`."""

    partition: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Course:
    """The looks so far: the members of the newest, and the position before they came, or that they have read on from.

    still: the partitions whose position has not moved since the members came. One that they could not go on from moves
    only with what they read next, which may be long after they came.
    """

    members: frozenset[str]
    before: Mapping[int, int]
    still: frozenset[int] = frozenset()

    def after(self, look: Position) -> tuple[Course, list[Span]]:
        """With one more look, and what was passed since the members before were last seen.

        A position can be set from outside only while nobody reads, and who reads again is another member. While nobody
        does, it is not known yet what will have been passed.
        """
        if not look.members:
            return Course(look.members, self.before), []
        still = self.still if look.members == self.members else frozenset({*look.offsets, *self.before})
        moved = {
            partition: (self.before.get(partition, 0), end)
            for partition, end in look.offsets.items()
            if partition in still and self.before.get(partition, 0) != end
        }
        passed = [Span(partition, start, end) for partition, (start, end) in moved.items() if start < end]
        return Course(look.members, {**self.before, **look.offsets}, still - moved.keys()), passed


class PositionWatch:
    """Notes for a repair what the position went over, also before the first look, or while nobody looked."""

    def __init__(self, settings: Settings, memory: StreamMemory) -> None:
        self._settings = settings
        self._memory = memory
        self._client: AdminClient | None = None
        self._course: Course | None = None
        self._note_at = 0.0

    def look(self) -> None:
        """Look once. Raises KafkaException, httpx's error (it can't be asked) and OSError (nothing can be noted)."""
        try:
            look = self._look()
        except KafkaException:
            self._client = None
            raise
        noted = self._memory.read().position
        course = self._course
        if course is None or (noted == {} and course.before):
            course = _begun(noted, look)
        course, passed = course.after(look)
        skipped = sum(span.end - span.start - self._read(span) for span in passed)
        if skipped > 0:
            self._memory.repair("ClickHouse's position in the topic went over messages")
            _log.warning("position_jumped", messages=skipped, then="what is missing is published again")
        self._course = course  # not before: what failed is done again
        if passed or time.monotonic() >= self._note_at:
            self._memory.position_is(course.before)
            self._note_at = time.monotonic() + _NOTED_SECONDS

    def _look(self) -> Position:
        if self._client is None:
            self._client = admin(self._settings)
        group, topic = self._settings.clickhouse.kafka_group, self._settings.kafka.topic
        described = _result(self._client.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS))
        asked = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=_REQUEST_SECONDS
        )
        places = _result(asked).topic_partitions or []
        return Position(
            frozenset(member.member_id for member in described.members),
            {place.partition: place.offset for place in places if place.topic == topic and place.offset >= 0},
        )

    def _read(self, span: Span) -> int:
        """How many of the messages have left a row; 0 where that is too much to count."""
        if span.end - span.start > _MOST_COUNTED:
            return 0
        where = f"WHERE _partition = {span.partition} AND _offset >= {span.start} AND _offset < {span.end}"
        rows = " UNION ALL ".join(f"SELECT _offset FROM {table} {where}" for table in TABLES)  # noqa: S608 - numbers
        query = f"SELECT uniqExact(_offset) FROM ({rows}) SETTINGS final = 0"  # noqa: S608 - as above
        try:
            (count,) = probe.clickhouse(self._settings.clickhouse, query, _READ_SECONDS)
        except (httpx.ReadTimeout, httpx.HTTPStatusError):  # it would be as much the next time
            return 0
        return int(count)


def _begun(noted: Mapping[int, int] | None, look: Position) -> Course:
    """Where nothing was seen yet, or of another topic: from what is noted. A folder of before begins where it is."""
    return Course(frozenset(), look.offsets if noted is None else noted)


def _result(futures: Mapping[str, Any]) -> Any:
    """The answer about the only group that was asked for. Raises KafkaException."""
    (future,) = futures.values()
    return future.result(timeout=2 * _REQUEST_SECONDS)
