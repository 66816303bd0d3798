"""Who may do what on the stack's Kafka. Pure.

Nobody may do anything but what stands here, or what `consumer` grants to a user whom the owner adds. Making, changing
and deleting topics, users and rules is for the stack alone, whom no rule binds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neonblue.settings import Settings
from neonblue.settings.kafka import Part

RESERVED = "neonblue"
"""What users and groups of the platform begin with: no added consumer's does."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ERASURES_GROUP = "neonblue-erasures"
_WORKER_GROUP = "neonblue-connect"
_LOOKERS: tuple[Part, ...] = ("dagster", "monitoring")
"""They look at how far ClickHouse is behind, as the API does, and do nothing else."""
WORKER_TOPICS = ("neonblue_connect_configs", "neonblue_connect_offsets", "neonblue_connect_status")


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A user may do `operation` on a topic or group of this name, or (`prefixed`) on all whose names begin with it.

    Operations are Kafka's, in capitals: READ and WRITE include DESCRIBE.
    """

    kind: str
    name: str
    operation: str
    prefixed: bool = False


def platform(settings: Settings) -> Mapping[str, frozenset[Grant]]:
    """What each part of the platform does, by user."""
    kafka, group = settings.kafka, settings.clickhouse.kafka_group
    return {
        kafka.user_of("connect"): frozenset(
            {
                Grant("TOPIC", kafka.topic, "WRITE"),
                Grant("TOPIC", kafka.heartbeat_topic, "WRITE"),
                Grant("GROUP", _WORKER_GROUP, "READ"),
                *(
                    Grant("TOPIC", topic, operation)
                    for topic in WORKER_TOPICS
                    for operation in ("READ", "WRITE", "DESCRIBE_CONFIGS")
                ),
            }
        ),
        kafka.user_of("clickhouse"): consumer(kafka.topic, group)
        | {Grant("TOPIC", kafka.heartbeat_topic, "READ")},
        kafka.user_of("api"): consumer(kafka.topic, ERASURES_GROUP) | {Grant("GROUP", group, "DESCRIBE")},
        **{
            kafka.user_of(part): frozenset(
                {Grant("TOPIC", kafka.topic, "DESCRIBE"), Grant("GROUP", group, "DESCRIBE")}
            )
            for part in _LOOKERS
        },
    }


def consumer(topic: str, group: str, *, prefixed: bool = False) -> frozenset[Grant]:
    """What a consumer does: read the topic, and keep its place in a group."""
    return frozenset({Grant("TOPIC", topic, "READ"), Grant("GROUP", group, "READ", prefixed)})


def refusal(name: str, group: str) -> str:
    """Why a consumer can't have this name and this prefix of groups, and what to do; '' where it can."""
    for what, text in (("name", name), ("prefix of groups", group)):
        if not _NAME.fullmatch(text):
            return (
                f"the {what} {text!r} can't be used: it has letters, digits, '.', '_' and '-', at most 100, and begins "
                "with a letter or digit"
            )
        if text.lower().startswith(RESERVED) or (RESERVED.startswith(text.lower()) and what != "name"):
            return f"the {what} {text!r} can't be used: {RESERVED}… is for the platform's own; choose another"
    return ""


def overlap(prefix: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    """Whose groups (by user) a user with this prefix could enter, or the other way round; '' where nobody's."""
    for user, others in groups.items():
        if any(prefix.startswith(other) or other.startswith(prefix) for other in others):
            return user
    return ""
