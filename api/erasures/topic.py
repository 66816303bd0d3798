"""What the topic still holds. Reads nobody's place in it."""

from __future__ import annotations

from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaException, TopicPartition

from neonblue.settings import KafkaSettings

_SECONDS = 10.0


def oldest_message(settings: KafkaSettings) -> datetime | None:
    """When the oldest message of the topic was written; None where it holds none. Blocks.

    Raises KafkaException where the topic can't be looked at.
    """
    consumer = Consumer(
        settings.client("api")
        | {
            "group.id": "neonblue-erasures",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        topics = consumer.list_topics(settings.topic, timeout=_SECONDS).topics
        partitions = [TopicPartition(settings.topic, number) for number in topics[settings.topic].partitions]
        found = [at for at in (_oldest(consumer, partition) for partition in partitions) if at is not None]
    finally:
        consumer.close()
    return min(found, default=None)


def _oldest(consumer: Consumer, partition: TopicPartition) -> datetime | None:
    low, high = consumer.get_watermark_offsets(partition, timeout=_SECONDS)
    if low >= high:
        return None
    consumer.assign([TopicPartition(partition.topic, partition.partition, low)])
    message = consumer.poll(_SECONDS)
    if message is None or message.error() is not None:
        raise KafkaException("the oldest message could not be read")
    _, milliseconds = message.timestamp()
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
