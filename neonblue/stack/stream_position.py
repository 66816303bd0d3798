"""Whether ClickHouse's position in the topic has jumped over messages that it never read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from neonblue.settings import Settings
from neonblue.stack import probe
from neonblue.stack.services.kafka import admin

_LOOK_SECONDS = 4.0
_REQUEST_SECONDS = 5.0
_READ_SECONDS = 60.0
_TABLES = ("events_processed", "assignments", "experiments", "user_links", "erased_users", "dead_letters")
"""Each message leaves a row in one of them at least, save one that is all of erased people."""


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
    """The looks so far: the members of the newest, and the position before they came."""

    members: frozenset[str]
    before: Mapping[int, int]

    def after(self, look: Position) -> tuple[Course, list[Span]]:
        """With one more look, and what was passed since the members before were last seen.

        A position can be set from outside only while nobody reads, and who reads again is another member. While nobody
        does, it is not known yet what will have been passed.
        """
        if not look.members:
            return Course(look.members, self.before), []
        if look.members == self.members:
            return Course(look.members, look.offsets), []
        passed = [
            Span(partition, start, end)
            for partition, end in look.offsets.items()
            if (start := self.before.get(partition, 0)) < end
        ]
        return Course(look.members, look.offsets), passed


class PositionWatch:
    """Looks every few seconds. What can't be asked is left for the next look: others tell what is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AdminClient | None = None
        self._course: Course | None = None
        self._last = 0.0

    def jumped(self) -> str:
        """What was jumped over since the last look, in words; '' where nothing was."""
        if time.monotonic() - self._last < _LOOK_SECONDS:
            return ""
        self._last = time.monotonic()
        try:
            return self._jumped()
        except (KafkaException, httpx.HTTPError, ValueError):
            self._client = None
            return ""

    def _jumped(self) -> str:
        look = self._look()
        if self._course is None:
            self._course = Course(look.members, look.offsets)
            return ""
        course, passed = self._course.after(look)
        skipped = sum(span.end - span.start - self._read(span) for span in passed)
        self._course = course  # not before: a look that failed is repeated
        return f"ClickHouse's position in the topic went over {skipped:,} messages" if skipped > 0 else ""

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
        """How many of the messages have left a row."""
        where = f"WHERE _partition = {span.partition} AND _offset >= {span.start} AND _offset < {span.end}"
        rows = " UNION ALL ".join(f"SELECT _offset FROM {table} {where}" for table in _TABLES)  # noqa: S608 - numbers
        query = f"SELECT uniqExact(_offset) FROM ({rows}) SETTINGS final = 0"  # noqa: S608 - as above
        clickhouse = self._settings.clickhouse
        answer = probe.get(
            clickhouse.address,
            params={"query": query, "database": clickhouse.database},
            auth=(clickhouse.user, clickhouse.password.get_secret_value()),
            timeout=_READ_SECONDS,
        )
        return int(answer.text)


def _result(futures: Mapping[str, Any]) -> Any:
    """The answer about the only group that was asked for. Raises KafkaException."""
    (future,) = futures.values()
    return future.result(timeout=2 * _REQUEST_SECONDS)
