"""Messages made anew from stored rows, with the content that they had at first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from neonblue.contract.events import Event
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


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A message, and when the API took what it tells."""

    accepted_at: datetime
    message: Message


class EventRow(NamedTuple):
    """A row of `events`: decimals and JSON as texts."""

    id: str
    day: date
    timestamp: datetime
    received_at: datetime
    experiment_id: int | None
    user_id: str
    unit_type: str
    event_type: str
    variant_key: str | None
    session_id: str | None
    value: str | None
    properties: str | None


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


def event(row: EventRow) -> Rebuilt:
    stored = Event(
        row.id,
        row.day.isoformat(),
        row.user_id,
        row.unit_type,
        row.event_type,
        format_instant(row.timestamp),
        row.experiment_id,
        row.variant_key,
        row.session_id,
        row.value,
        None if row.properties is None else row.properties.encode(),
    )
    return Rebuilt(row.received_at, Message(row.id, stored.message(format_instant(row.received_at))))


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
