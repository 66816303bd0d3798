"""How far ClickHouse is behind the topic, by the offsets that its consumer group has committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neonblue.settings import Settings
from neonblue.settings.kafka import Part

if TYPE_CHECKING:
    from confluent_kafka import Consumer

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of the topic: the next offset to be written, and the next one ClickHouse will read."""

    partition: int
    end: int
    read: int

    @property
    def messages(self) -> int:
        """Messages that ClickHouse has not read."""
        return max(self.end - self.read, 0)


class LagReader:
    """Asks Kafka, over a connection that is kept. `part`: who signs in. seconds: of each question, until it failed."""

    def __init__(self, settings: Settings, part: Part, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._topic = settings.kafka.topic
        self._options = settings.kafka.client(part) | {"group.id": settings.clickhouse.kafka_group}
        self._consumer: Consumer | None = None

    def read(self) -> list[Lag]:
        """Every partition of the topic, in order. Raises confluent_kafka's error when the broker is away."""
        from confluent_kafka import Consumer, TopicPartition

        if self._consumer is None:
            # Never subscribed: it joins no group, and commits nothing.
            self._consumer = Consumer(self._options | {"enable.auto.commit": False, "log_level": 0})
        consumer = self._consumer
        try:
            known = consumer.list_topics(self._topic, timeout=self._seconds).topics[self._topic].partitions
            committed = consumer.committed(
                [TopicPartition(self._topic, number) for number in sorted(known)], timeout=self._seconds
            )
            lags = []
            for place in committed:
                first, end = consumer.get_watermark_offsets(place, timeout=self._seconds)
                lags.append(Lag(place.partition, end, max(place.offset, first)))
            return lags
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def read_lag(settings: Settings, part: Part) -> list[Lag]:
    """As `LagReader.read`, once."""
    reader = LagReader(settings, part)
    try:
        return reader.read()
    finally:
        reader.close()
