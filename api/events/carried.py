"""Assignments that exposures carry: worked out by a client from the configuration while nothing could be stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.assignments.cache import Stored, UnitKey
from api.assignments.repository import NewAssignment, insert_carried, upsert_users
from api.experiments.registry import LiveExperiment
from api.metrics import CARRIED
from api.postgres.database import Connection
from neonblue.bucketing import variant_of
from neonblue.contract.events import Event
from neonblue.contract.messages import AssignmentMessage, encode_message
from neonblue.contract.outbox import Message

_STORED = CARRIED.labels("stored")
_EXISTED = CARRIED.labels("existed")
_CONFLICT = CARRIED.labels("conflict")
_MISMATCH = CARRIED.labels("mismatch")
_UNKNOWN_VERSION = CARRIED.labels("unknown_version")


def check_carried(event: Event, live: LiveExperiment | None) -> None:
    """Drop an assignment that the configuration does not give: a client may not choose its variant.

    Salt and weights are the same in every version that ran, so the present one tells.
    """
    if event.carried_version is None or live is None:
        return
    if (
        event.unit_type != live.unit_type
        or variant_of(live.configuration, event.user_id) != event.variant_key
    ):
        event.carried_version = None
        _MISMATCH.inc()


def unit_of(event: Event) -> UnitKey:
    return (event.experiment_id or 0, event.unit_type, event.user_id)


async def store_carried(
    connection: Connection, events: Sequence[Event], known: Mapping[UnitKey, Stored]
) -> dict[UnitKey, Stored]:
    """Store what these exposures carry for units that have no assignment; returns what was stored."""
    firsts: dict[UnitKey, Event] = {}
    for event in events:
        if event.carried_version is not None and unit_of(event) not in known:
            held = firsts.setdefault(unit_of(event), event)
            if event.timestamp < held.timestamp:
                firsts[unit_of(event)] = event
    created = await insert_carried(
        connection,
        [
            NewAssignment(
                unit,
                event.variant_key or "",
                event.carried_version or 0,
                event.timestamp,
                event.timestamp,
            )
            for unit, event in firsts.items()
        ],
    )
    await upsert_users(connection, {unit[1:]: None for unit in created})
    return {
        unit: Stored(event.variant_key or "", event.carried_version or 0, event.timestamp, True)
        for unit, event in firsts.items()
        if unit in created
    }


def messages_of(created: Mapping[UnitKey, Stored], received_at: str) -> list[Message]:
    """What the stream is told of them."""
    return [
        Message(
            f"{unit[0]}:{unit[2]}",
            encode_message(
                AssignmentMessage(
                    experiment_id=unit[0],
                    unit_type=unit[1],
                    user_id=unit[2],
                    variant_key=stored.variant_key,
                    version=stored.version,
                    assigned_at=stored.assigned_at,
                    attributes=None,
                    received_at=received_at,
                )
            ),
        )
        for unit, stored in created.items()
    ]


def count_carried(
    carried: Sequence[tuple[Event, str | None]],
    created: Mapping[UnitKey, Stored],
    known: Mapping[UnitKey, Stored],
) -> None:
    """Count what became of each carried assignment; `carried`: the exposures and the variants they came with."""
    fresh = set(created)
    for event, variant in carried:
        unit = unit_of(event)
        stored = known.get(unit)
        if unit in fresh:
            fresh.discard(unit)
            _STORED.inc()
        elif stored is None:
            _UNKNOWN_VERSION.inc()
        else:
            (_EXISTED if stored.variant_key == variant else _CONFLICT).inc()
