"""The topics as Kafka has them: seen, made, widened, configured."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from neonblue.stack.services import templates

REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Present:
    """A topic that is there. `id`: Kafka's own; one that is made anew under the same name has another."""

    id: str
    partitions: int


def make(client: AdminClient, wanted: tuple[templates.Topic, ...], present: Mapping[str, Present]) -> None:
    """Make those of `wanted` that are not `present`, widen and configure those that are."""
    new = [
        NewTopic(topic.name, num_partitions=topic.partitions, config=dict(topic.config))
        for topic in wanted
        if topic.name not in present
    ]
    wider = [
        NewPartitions(topic.name, topic.partitions)
        for topic in wanted
        if topic.name in present and present[topic.name].partitions < topic.partitions
    ]
    changed = [_resource(topic) for topic in wanted if topic.name in present]
    pending: list[Future[Any]] = [
        *(client.create_topics(new, request_timeout=REQUEST_SECONDS).values() if new else ()),
        *(client.create_partitions(wider, request_timeout=REQUEST_SECONDS).values() if wider else ()),
        *(client.incremental_alter_configs(changed).values() if changed else ()),
    ]
    for future in pending:
        future.result(timeout=2 * REQUEST_SECONDS)


def present(client: AdminClient, wanted: tuple[templates.Topic, ...]) -> dict[str, Present]:
    """Those of `wanted` that are there. Raises KafkaException."""
    names = [topic.name for topic in wanted]
    found = {}
    for name, future in client.describe_topics(
        TopicCollection(names), request_timeout=REQUEST_SECONDS
    ).items():
        try:
            described = future.result(timeout=2 * REQUEST_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise
        found[name] = Present(str(described.topic_id), len(described.partitions))
    return found


def _resource(topic: templates.Topic) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in topic.config.items()
    ]
    return ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
