"""The topics on Kafka: made, watched, and made again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
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

from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError
from neonblue.stack.services import templates
from neonblue.stack.services.kafka import admin
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor.nodes import Step

_log = structlog.get_logger("neonblue.stack")

_REQUEST_SECONDS = 5.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Present:
    """A topic that is there. `id`: Kafka's own; one that is made anew under the same name has another."""

    id: str
    partitions: int


class Topics(Step):
    """The topics as ``connectors/topics.json`` has them: made, widened, reconfigured; never removed.

    A topic that somebody has deleted took with it what ClickHouse had not read yet. That is noted before the topic is
    made anew, and published again from PostgreSQL: see `neonblue.stack.services.repair`.
    """

    name = "topics"
    requires = ("kafka",)
    watch_seconds = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wanted = templates.topics(settings)
        self._memory = StreamMemory(settings.data_dir)
        self._client: AdminClient | None = None
        self._is_wrong = False

    def run(self) -> None:
        client = admin(self._settings)
        present = _present(client, self._wanted)
        gone = self._note_losses(present)
        if self._settings.kafka.topic in gone or self._settings.kafka.topic not in present:
            self._memory.position_is({})
        self._make(client, present)
        self._memory.topics_are({name: topic.id for name, topic in self._all_present(client).items()})

    def check(self) -> None:
        """Every topic is there with its partitions, and is the one that was there before."""
        if self._client is None:
            self._client = admin(self._settings)
        self._is_wrong = False
        try:
            present = _present(self._client, self._wanted)
        except KafkaException:
            self.close()
            raise
        if wrong := wrongs(self._wanted, present, self._memory.read().topics):
            self._is_wrong = True
            raise ServiceError(self.name, "; ".join(wrong))

    def mend(self) -> None:
        """Where Kafka itself is away there is nothing to mend."""
        if self._is_wrong:
            self.run()

    def close(self) -> None:
        self._client = None

    def _note_losses(self, present: Mapping[str, Present]) -> list[str]:
        gone = lost(self._memory.read().topics, present)
        for name in gone:
            _log.warning("topic_lost", topic=name, then="it is made anew")
            if name == self._settings.kafka.topic:
                self._memory.repair(f"the topic {name} was deleted")
        return gone

    def _make(self, client: AdminClient, present: Mapping[str, Present]) -> None:
        new = [
            NewTopic(topic.name, num_partitions=topic.partitions, config=dict(topic.config))
            for topic in self._wanted
            if topic.name not in present
        ]
        wider = [
            NewPartitions(topic.name, topic.partitions)
            for topic in self._wanted
            if topic.name in present and present[topic.name].partitions < topic.partitions
        ]
        changed = [_resource(topic) for topic in self._wanted if topic.name in present]
        pending: list[Future[Any]] = [
            *(client.create_topics(new, request_timeout=_REQUEST_SECONDS).values() if new else ()),
            *(client.create_partitions(wider, request_timeout=_REQUEST_SECONDS).values() if wider else ()),
            *(client.incremental_alter_configs(changed).values() if changed else ()),
        ]
        for future in pending:
            future.result(timeout=2 * _REQUEST_SECONDS)

    def _all_present(self, client: AdminClient) -> dict[str, Present]:
        """Every topic, once the broker knows those that were made now."""
        deadline = time.monotonic() + _REQUEST_SECONDS
        while True:
            present = _present(client, self._wanted)
            missing = [topic.name for topic in self._wanted if topic.name not in present]
            if not missing:
                return present
            if time.monotonic() > deadline:
                raise ServiceError(self.name, f"made, but not there: {', '.join(missing)}")
            time.sleep(_POLL_SECONDS)


def lost(known: Mapping[str, str], present: Mapping[str, Present]) -> list[str]:
    """The topics that were there and are gone, or are others of the same name."""
    return [name for name, topic in known.items() if name not in present or present[name].id != topic]


def wrongs(
    wanted: tuple[templates.Topic, ...], present: Mapping[str, Present], known: Mapping[str, str]
) -> list[str]:
    """What is not as it shall be, a sentence each."""
    found = []
    for topic in wanted:
        if topic.name not in present:
            found.append(f"the topic {topic.name} is gone")
        elif known.get(topic.name) != present[topic.name].id:
            found.append(f"the topic {topic.name} is not the one that was there before")
        elif present[topic.name].partitions < topic.partitions:
            found.append(f"the topic {topic.name} has {present[topic.name].partitions} partitions")
    return found


def _present(client: AdminClient, wanted: tuple[templates.Topic, ...]) -> dict[str, Present]:
    """Those of `wanted` that are there. Raises KafkaException."""
    names = [topic.name for topic in wanted]
    found = {}
    for name, future in client.describe_topics(
        TopicCollection(names), request_timeout=_REQUEST_SECONDS
    ).items():
        try:
            described = future.result(timeout=2 * _REQUEST_SECONDS)
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
