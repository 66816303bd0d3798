"""Messages made anew from stored rows, with the content that they had at first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from neonblue.contract.events import EVENT_COLUMNS, Event
from neonblue.contract.instants import format_instant, parse_instant
from neonblue.contract.messages import AssignmentMessage, ErasureMessage, LinkMessage, encode_message
from neonblue.contract.outbox import (
    ASSIGNMENTS,
    EVENTS,
    Aggregate,
    Happening,
    Message,
    OutboxRow,
    pack,
)
from neonblue.contract.outbox import Kind as Naming
from neonblue.reconciliation.compare import Kind

_EVENT_NAMES = [column.name for column in EVENT_COLUMNS]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A message, and when the API took what it tells."""

    accepted_at: datetime
    message: Message


class AssignmentRow(NamedTuple):
    """A row of `assignments`. `received_at` is None in rows of older versions, whose attributes are not known."""

    experiment_id: int
    unit_type: str
    user_id: str
    variant_key: str
    version: int
    assigned_at: datetime
    received_at: datetime | None
    attributes: str | None


class VersionRow(NamedTuple):
    """A row of `experiment_versions`: the snapshot is the message."""

    experiment_id: int
    version: int
    snapshot: str


class DraftRow(NamedTuple):
    """A row of `deleted_drafts`."""

    experiment_id: int
    snapshot: str


class LinkRow(NamedTuple):
    """A row of `user_links`."""

    unit_type: str
    anonymous_id: str
    user_id: str
    linked_at: datetime


def event(received_at: datetime, values: Iterable[str | int | date | None]) -> Rebuilt:
    """From a row of `events`: when it was received, and the values of `EVENT_COLUMNS`; decimals and JSON as texts."""
    facts: dict[str, Any] = {name: _written(value) for name, value in zip(_EVENT_NAMES, values, strict=True)}
    if facts["properties"] is not None:
        facts["properties"] = msgspec.Raw(facts["properties"].encode())
    stored = Event(**facts)
    return Rebuilt(received_at, Message(stored.id, stored.message(format_instant(received_at))))


def _written(value: str | int | date | None) -> str | int | None:
    if isinstance(value, datetime):
        return format_instant(value)
    return value.isoformat() if isinstance(value, date) else value


def assignment(row: AssignmentRow) -> Rebuilt:
    received_at = row.received_at or row.assigned_at
    message = AssignmentMessage(
        experiment_id=row.experiment_id,
        unit_type=row.unit_type,
        user_id=row.user_id,
        variant_key=row.variant_key,
        version=row.version,
        assigned_at=format_instant(row.assigned_at),
        attributes=None if row.attributes is None else msgspec.Raw(row.attributes.encode()),
        received_at=format_instant(received_at),
    )
    return Rebuilt(received_at, Message(f"{row.experiment_id}:{row.user_id}", encode_message(message)))


def version(row: VersionRow) -> Rebuilt:
    return _snapshot(row.experiment_id, row.snapshot)


def deleted_draft(row: DraftRow) -> Rebuilt:
    return _snapshot(row.experiment_id, row.snapshot)


def link(row: LinkRow) -> Rebuilt:
    instant = format_instant(row.linked_at)
    message = LinkMessage(
        unit_type=row.unit_type,
        anonymous_id=row.anonymous_id,
        user_id=row.user_id,
        linked_at=instant,
        received_at=instant,
    )
    return Rebuilt(row.linked_at, Message(row.anonymous_id, encode_message(message)))


def erasure(identifier: str, unit_type: str, user_id: str, erased_at: datetime) -> Rebuilt:
    instant = format_instant(erased_at)
    message = ErasureMessage(unit_type=unit_type, user_id=user_id, erased_at=instant, received_at=instant)
    return Rebuilt(erased_at, Message(identifier, encode_message(message)))


_BATCHED: Mapping[Kind, Naming] = {Kind.EVENTS: EVENTS, Kind.ASSIGNMENTS: ASSIGNMENTS}
_SINGLE: Mapping[Kind, tuple[Aggregate, Happening]] = {
    Kind.EXPERIMENTS: (Aggregate.EXPERIMENT, Happening.EXPERIMENT_CHANGED),
    Kind.LINKS: (Aggregate.USER_LINK, Happening.USER_LINKED),
    Kind.ERASURES: (Aggregate.USER, Happening.USER_ERASED),
}


def packed(kind: Kind, rebuilt: Iterable[Rebuilt], *, batch: bool) -> Iterator[OutboxRow]:
    """Rows of the outbox that hold these messages, as the API packs them."""
    messages = [one.message for one in rebuilt]
    if kind in _BATCHED:
        yield from pack(_BATCHED[kind], messages, batch=batch)
        return
    aggregate, happening = _SINGLE[kind]
    for message in messages:
        yield OutboxRow(aggregate, message.id, happening, message.payload)


class _Snapshot(msgspec.Struct):
    received_at: str


def _snapshot(experiment_id: int, snapshot: str) -> Rebuilt:
    received_at = msgspec.json.decode(snapshot, type=_Snapshot).received_at
    return Rebuilt(parse_instant(received_at), Message(str(experiment_id), snapshot.encode()))
