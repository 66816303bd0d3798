"""The topics on Kafka: made, watched, and made again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError
from neonblue.stack.services import templates
from neonblue.stack.services.kafka import admin
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor.nodes import Step

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from neonblue.stack.services.inside.kafka_topics import Present

_log = structlog.get_logger("neonblue.stack")

_MADE_SECONDS = 5.0
_POLL_SECONDS = 0.1


class Topics(Step):
    """The topics as ``connectors/topics.json`` has them: made, widened, reconfigured; never removed.

    A topic that somebody has deleted took with it what ClickHouse had not read yet. That is noted before the topic is
    made anew, and published again from PostgreSQL: see `neonblue.stack.services.repair`.
    """

    name = "topics"
    place = 35
    requires = ("kafka",)
    watch_seconds = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wanted = templates.topics(settings)
        self._memory = StreamMemory(settings.data_dir)
        self._client: AdminClient | None = None
        self._is_wrong = False

    def run(self) -> None:
        from neonblue.stack.services.inside import kafka_topics

        client = admin(self._settings)
        present = kafka_topics.present(client, self._wanted)
        gone = self._note_losses(present)
        if self._settings.kafka.topic in gone or self._settings.kafka.topic not in present:
            self._memory.position_is({})
        kafka_topics.make(client, self._wanted, present)
        self._memory.topics_are({name: topic.id for name, topic in self._all_present(client).items()})

    def check(self) -> None:
        """Every topic is there with its partitions, and is the one that was there before."""
        from confluent_kafka import KafkaException

        from neonblue.stack.services.inside import kafka_topics

        if self._client is None:
            self._client = admin(self._settings)
        self._is_wrong = False
        try:
            present = kafka_topics.present(self._client, self._wanted)
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

    def _all_present(self, client: AdminClient) -> dict[str, Present]:
        """Every topic, once the broker knows those that were made now."""
        from neonblue.stack.services.inside import kafka_topics

        deadline = time.monotonic() + _MADE_SECONDS
        while True:
            present = kafka_topics.present(client, self._wanted)
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
