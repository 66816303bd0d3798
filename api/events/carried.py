"""Assignments that exposures carry: worked out by a client from the configuration while nothing could be stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from api.assignments.cache import Stored, UnitKey
from api.assignments.repository import NewAssignment, insert_earlier, upsert_users
from api.events.judging import Judge, Outcome, Verdict
from api.metrics import CARRIED
from api.postgres.database import Connection
from neonblue.contract.events import Event
from neonblue.contract.messages import AssignmentMessage, encode_message
from neonblue.contract.outbox import Message

_MISMATCH = "mismatch"
_WORDS = {Outcome.OTHER_VARIANT: _MISMATCH, Outcome.OTHER_UNIT_TYPE: _MISMATCH}
"""Where the metric says something else than the outcome does."""


def unit_of(event: Event) -> UnitKey:
    return (event.experiment_id or 0, event.unit_type, event.user_id)


@dataclass(frozen=True, slots=True)
class CarriedAssignments:
    """What became of one transaction's exposures that carry an assignment of a unit without one.

    created: the assignments it makes. refused: why an exposure gives none, by its id.
    """

    created: dict[UnitKey, Stored] = field(default_factory=dict)
    refused: dict[str, Outcome] = field(default_factory=dict)

    def count(self, exposures: Sequence[tuple[Event, str | None]], known: Mapping[UnitKey, Stored]) -> None:
        """Tell the metric of every exposure that carried one; with the variants that they came with."""
        fresh = set(self.created)
        for event, variant in exposures:
            unit = unit_of(event)
            stored = known.get(unit)
            if unit in fresh:
                fresh.discard(unit)
                CARRIED.labels("stored").inc()
            elif stored is not None:
                CARRIED.labels("existed" if stored.variant_key == variant else "conflict").inc()
            else:
                outcome = self.refused.get(event.id, Outcome.UNKNOWN_VERSION)
                CARRIED.labels(_WORDS.get(outcome, outcome.value)).inc()


def first_of_each(
    exposures: Iterable[Event], judges: Mapping[int, Judge], ask: Callable[[Judge, Event], Verdict]
) -> tuple[dict[UnitKey, NewAssignment], list[tuple[Event, Outcome]]]:
    """Each unit's assignment by the earliest of its exposures that give one, and why the others give none.

    judges: by experiment; of a draft that was deleted meanwhile there is none, and nothing is said of its exposures.
    """
    firsts: dict[UnitKey, NewAssignment] = {}
    refused: list[tuple[Event, Outcome]] = []
    for event in exposures:
        judge = judges.get(event.experiment_id or 0)
        if judge is None:
            continue
        unit, verdict = unit_of(event), ask(judge, event)
        held = firsts.get(unit)
        if verdict.outcome is not Outcome.STORED:
            refused.append((event, verdict.outcome))
        elif held is None or event.timestamp < held.assigned_at:
            firsts[unit] = NewAssignment(
                unit, verdict.variant_key, verdict.version, event.timestamp, event.timestamp
            )
    return firsts, refused


async def store_carried(
    connection: Connection, exposures: Sequence[Event], judges: Mapping[int, Judge]
) -> CarriedAssignments:
    """Store what these exposures carry where the configuration gave it, exposed at the earliest of each unit."""
    firsts, refused = first_of_each(exposures, judges, Judge.carried)
    inserted = await insert_earlier(connection, list(firsts.values()))
    await upsert_users(connection, {unit[1:]: None for unit in inserted})
    created = {unit: new.stored() for unit, new in firsts.items() if unit in inserted}
    return CarriedAssignments(created, {event.id: outcome for event, outcome in refused})


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
