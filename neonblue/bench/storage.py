"""How many bytes the messages, the topic and the table take."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, TopicPartition

from neonblue.settings import Settings

_TIMEOUT_SECONDS = 10.0

PARTS = """
SELECT sum(rows), sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events_processed'
"""

COLUMNS = """
SELECT sum(data_uncompressed_bytes), sum(data_compressed_bytes) FROM system.columns
WHERE database = currentDatabase() AND table = 'events_processed'
"""


def topic_bytes(settings: Settings) -> int | None:
    """Size of the topic's log segments; None where the broker's files are not on this machine."""
    if settings.kafka.external:
        return None
    segments = Path(settings.data_dir).glob(f"**/{settings.kafka.topic}-[0-9]*/*.log")
    return sum(segment.stat().st_size for segment in segments)


def topic_ends(settings: Settings) -> dict[int, int]:
    """The offset after the last message of each partition."""
    with closing(_consumer(settings)) as consumer:
        partitions = consumer.list_topics(settings.kafka.topic, _TIMEOUT_SECONDS).topics[settings.kafka.topic]
        return {
            number: consumer.get_watermark_offsets(
                TopicPartition(settings.kafka.topic, number), _TIMEOUT_SECONDS
            )[1]
            for number in partitions.partitions
        }


def message_bytes(settings: Settings, starts: dict[int, int], ends: dict[int, int]) -> int:
    """Size of the messages between these offsets as their reader gets them: uncompressed."""
    left = {number for number, end in ends.items() if end > starts.get(number, 0)}
    size = 0
    with closing(_consumer(settings)) as consumer:
        consumer.assign(
            [TopicPartition(settings.kafka.topic, number, starts.get(number, 0)) for number in left]
        )
        while left:
            messages = consumer.consume(1_000, _TIMEOUT_SECONDS)
            if not messages:
                raise TimeoutError(f"no message of {settings.kafka.topic} in {_TIMEOUT_SECONDS:g} s")
            for message in messages:
                number, after = message.partition() or 0, (message.offset() or 0) + 1
                if message.error() is None and after <= ends[number]:
                    size += len(message.value() or b"")
                if after >= ends[number]:
                    left.discard(number)
    return size


def _consumer(settings: Settings) -> Consumer:
    return Consumer(
        settings.kafka.client("admin")
        | {
            "group.id": "neonblue-bench",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )


def table_size(client: Client) -> tuple[int, int]:
    """Rows (copies included) and bytes on disk of `events_processed`."""
    rows, size = client.query(PARTS).result_rows[0]
    return int(rows or 0), int(size or 0)


def column_compression(client: Client) -> float | None:
    """Bytes of the columns of `events_processed` to what they take compressed, as ClickHouse itself counts both.

    None while all its parts are small: ClickHouse counts columns only where each has a file of its own.
    """
    uncompressed, compressed = client.query(COLUMNS).result_rows[0]
    return float(uncompressed) / float(compressed) if compressed else None
