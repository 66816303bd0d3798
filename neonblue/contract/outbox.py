"""Outbox rows: the messages of one commit, packed so that no row grows past its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from neonblue.contract.limits import OUTBOX_ROW_BYTES

NOTHING = 2
"""Bytes of an empty array."""


class Aggregate(StrEnum):
    """What a row tells of; a batch is an array of the same messages."""

    EVENT = "event"
    EVENT_BATCH = "event_batch"
    ASSIGNMENT = "assignment"
    ASSIGNMENT_BATCH = "assignment_batch"
    EXPERIMENT = "experiment"
    USER = "user"
    USER_LINK = "user_link"


class Happening(StrEnum):
    """What happened to it."""

    EVENT_CREATED = "EVENT_CREATED"
    EVENTS_CREATED = "EVENTS_CREATED"
    ASSIGNMENT_CREATED = "ASSIGNMENT_CREATED"
    ASSIGNMENTS_CREATED = "ASSIGNMENTS_CREATED"
    EXPERIMENT_CHANGED = "EXPERIMENT_CHANGED"
    USER_ERASED = "USER_ERASED"
    USER_LINKED = "USER_LINKED"


@dataclass(frozen=True, slots=True)
class Kind:
    """How messages of one kind are named, alone and as a batch."""

    single: Aggregate
    single_happening: Happening
    batch: Aggregate
    batch_happening: Happening


EVENTS = Kind(Aggregate.EVENT, Happening.EVENT_CREATED, Aggregate.EVENT_BATCH, Happening.EVENTS_CREATED)
ASSIGNMENTS = Kind(
    Aggregate.ASSIGNMENT,
    Happening.ASSIGNMENT_CREATED,
    Aggregate.ASSIGNMENT_BATCH,
    Happening.ASSIGNMENTS_CREATED,
)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row of `outbox_events`; `payload` is JSON in UTF-8."""

    aggregate_type: Aggregate
    aggregate_id: str
    event_type: Happening
    payload: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message and the id its row is named after when it comes first."""

    id: str
    payload: bytes


def pack(
    kind: Kind, messages: Sequence[Message], *, row_bytes: int = OUTBOX_ROW_BYTES, batch: bool = True
) -> Iterator[OutboxRow]:
    """Rows that hold `messages` in their order: arrays of at most `row_bytes`, a lone message as an object.

    A message that alone is larger has a row of its own. Without `batch` each message has its own row.
    """
    group: list[Message] = []
    size = NOTHING
    for message in messages:
        grown = size + len(message.payload) + 1
        if group and (grown > row_bytes or not batch):
            yield _row(kind, group)
            group, grown = [], NOTHING + len(message.payload) + 1
        group.append(message)
        size = grown
    if group:
        yield _row(kind, group)


def _row(kind: Kind, group: Sequence[Message]) -> OutboxRow:
    first = group[0]
    if len(group) == 1:
        return OutboxRow(kind.single, first.id, kind.single_happening, first.payload)
    payload = b"[" + b",".join([message.payload for message in group]) + b"]"
    return OutboxRow(kind.batch, first.id, kind.batch_happening, payload)
