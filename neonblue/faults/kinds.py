"""What can go wrong in a fault run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DAGSTER = ("dagster-code", "dagster-daemon", "dagster")
CORE = ("postgres", "valkey", "kafka", "connect", "clickhouse", "api")


class Kind(StrEnum):
    """Kinds of faults."""

    KILL = "kill"
    STOP = "stop"
    KILL_ALL = "kill_all"
    KILL_START = "kill_start"
    RESTART = "restart"
    NETWORK_RESET = "network_reset"
    NETWORK_DELAY = "network_delay"
    ANSWERS_LOST = "answers_lost"
    DATABASE_RESET = "database_reset"
    REPEATS = "repeats"
    POISON_REQUESTS = "poison_requests"
    POISON_MESSAGES = "poison_messages"
    VIEW_FAILS = "view_fails"
    DISK_FULL = "disk_full"
    SLOT_DROPPED = "slot_dropped"
    CONNECTOR_DELETED = "connector_deleted"
    CONNECTOR_PAUSED = "connector_paused"
    OFFSETS_LOST = "offsets_lost"
    TOPIC_DELETED = "topic_deleted"
    TOPIC_EMPTIED = "topic_emptied"
    GROUP_FORWARD = "group_forward"
    GROUP_BACK = "group_back"
    CLOCK_STEPS = "clock_steps"
    BUILD_KILLED = "build_killed"


@dataclass(frozen=True, slots=True)
class Nature:
    """What a kind does, and what is expected of the product.

    `seconds`: from how long to how long it is held; both 0: it is done in a moment. `names`: one of them must stand in
    what the product tells of it; empty: it is no trouble of the product's, and need not be told. `of_service`: it
    strikes one service, whose name is told. `alone`: no other fault is struck meanwhile. `from_lift`: nothing can
    recover before the fault is lifted, so the recovery counts from then.
    """

    what: str
    seconds: tuple[float, float] = (0.0, 0.0)
    names: tuple[str, ...] = ()
    of_service: bool = False
    alone: bool = False
    from_lift: bool = False


_STREAM = (
    "connector",
    "slot",
    "topic",
    "topics",
    "stream",
    "pipeline",
    "outbox",
    "reconciliation",
    "missing",
)

NATURES: Mapping[Kind, Nature] = {
    Kind.KILL: Nature("SIGKILL of one service's process", of_service=True),
    Kind.STOP: Nature("SIGSTOP of one service's process, then SIGCONT", (5, 120), of_service=True),
    Kind.KILL_ALL: Nature(
        "SIGKILL of the supervisor and every process at once, then a start",
        names=("supervisor", *CORE),
        alone=True,
    ),
    Kind.KILL_START: Nature(
        "as kill_all, and the start that follows is killed once more on its way",
        (1, 15),
        names=("supervisor", *CORE),
        alone=True,
    ),
    Kind.RESTART: Nature("the stack is stopped as by neonblue down, and started", alone=True, from_lift=True),
    Kind.NETWORK_RESET: Nature(
        "connections between clients and the API are reset, again and again", (3, 20), from_lift=True
    ),
    Kind.NETWORK_DELAY: Nature(
        "each packet between clients and the API waits up to two seconds", (5, 30), from_lift=True
    ),
    Kind.ANSWERS_LOST: Nature(
        "requests reach the API, and their answers are cut off", (3, 15), from_lift=True
    ),
    Kind.DATABASE_RESET: Nature(
        "PostgreSQL ends every session of the API, of Debezium and of the supervisor, again and again",
        (3, 15),
        names=("postgres", "connector", "slot", "api"),
        from_lift=True,
    ),
    Kind.REPEATS: Nature(
        "requests are repeated: same ids, same Idempotency-Key, the same with altered content"
    ),
    Kind.POISON_REQUESTS: Nature(
        "what no client should send: too large, no JSON, no UTF-8, unknown types, too deep, a compressed bomb"
    ),
    Kind.POISON_MESSAGES: Nature(
        "messages on the topic, signed in as Connect: empty, no JSON, no UTF-8, unknown types, 3 MiB",
    ),
    Kind.VIEW_FAILS: Nature(
        "every insert into events_processed fails, as by a broken view; then it is restored",
        (3, 30),
        names=("clickhouse", "clickhouse-schema", "view", "consumer", "stream", "pipeline"),
        from_lift=True,
    ),
    Kind.DISK_FULL: Nature(
        "the data folder's disk is full, then free again (root alone: a tmpfs is mounted for it)",
        (10, 60),
        names=("disk", "space", "api", "postgres", "kafka", "connect", "clickhouse"),
        alone=True,
        from_lift=True,
    ),
    Kind.SLOT_DROPPED: Nature("the replication slot is dropped", names=("slot", "connector"), alone=True),
    Kind.CONNECTOR_DELETED: Nature("the connector is deleted from Connect", names=_STREAM, alone=True),
    Kind.CONNECTOR_PAUSED: Nature("the connector is paused", names=_STREAM, alone=True),
    Kind.OFFSETS_LOST: Nature(
        "Connect's offsets are deleted: the connector is stopped, they go, it is resumed", alone=True
    ),
    Kind.TOPIC_DELETED: Nature(
        "the topic is deleted", names=(*_STREAM, "clickhouse", "clickhouse-schema", "consumer"), alone=True
    ),
    Kind.TOPIC_EMPTIED: Nature(
        "the topic's messages are deleted before ClickHouse has read them all",
        names=(*_STREAM, "clickhouse", "clickhouse-schema", "consumer"),
        alone=True,
    ),
    Kind.GROUP_FORWARD: Nature(
        "ClickHouse's consumer group jumps to the topic's end over messages that it has not read",
        names=(*_STREAM, "clickhouse", "clickhouse-schema", "consumer"),
        alone=True,
    ),
    Kind.GROUP_BACK: Nature(
        "ClickHouse's consumer group goes back to offset 0: everything is read again", alone=True
    ),
    Kind.CLOCK_STEPS: Nature(
        "the clock of the API steps ahead by hours, and back (needs libfaketime)",
        (5, 30),
        alone=True,
        from_lift=True,
    ),
    Kind.BUILD_KILLED: Nature("dbt is killed amid a build, and the build is run again", (5, 20), alone=True),
}

COMPANIONS = (Kind.KILL, Kind.STOP, Kind.NETWORK_RESET, Kind.NETWORK_DELAY, Kind.ANSWERS_LOST)
"""What may strike while another fault lasts."""


def chosen(names: list[str] | None) -> tuple[Kind, ...]:
    """The kinds of these names, separated by commas too; None: all. Raises ValueError."""
    if not names:
        return tuple(Kind)
    wanted = [name.strip() for group in names for name in group.split(",") if name.strip()]
    known = {kind.value: kind for kind in Kind}
    if unknown := sorted(set(wanted) - set(known)):
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(known)}")
    if not wanted:
        raise ValueError("no fault is named")
    return tuple(dict.fromkeys(known[name] for name in wanted))
