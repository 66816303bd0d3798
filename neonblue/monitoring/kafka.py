"""How far ClickHouse is behind the topic, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.consumer_lag import LagReader
from neonblue.monitoring.samples import Family, Sample
from neonblue.settings import Settings

END = Family("neonblue_topic_end_offset", "The offset that the next message will have", ("partition",))
LAG = Family(
    "neonblue_consumer_lag_messages", "Messages of the topic that ClickHouse has not read", ("partition",)
)


class KafkaSource:
    """The topic and ClickHouse's place in it."""

    name = "kafka"
    seconds = 15.0

    def __init__(self, settings: Settings) -> None:
        self._reader = LagReader(settings, "monitoring")

    def look(self) -> Sequence[Sample]:
        found = []
        for lag in self._reader.read():
            partition = str(lag.partition)
            found += [END(lag.end, partition), LAG(lag.messages, partition)]
        return found
