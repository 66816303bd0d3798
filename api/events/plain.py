"""Exposures of units without an assignment: the variant was shown ahead of it, and an event alone tells so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from api.assignments.cache import Stored, UnitKey
from api.assignments.repository import insert_evaluated, read_assignments, upsert_users
from api.events.carried import unit_of
from api.experiments.registry import LiveExperiment
from api.identity.links import read_links
from api.metrics import UNASSIGNED_EXPOSURES
from api.postgres.database import Connection
from neonblue.bucketing import Unit, evaluate, forced_variant
from neonblue.contract.events import Event

Find = Callable[[int | str], LiveExperiment | None]


class Outcome(StrEnum):
    """What became of an exposure without an assignment. All but the first leave the unit without one.

    NEEDS_ATTRIBUTES: targeting reads what no event holds. OUTSIDE: the configuration leaves the unit out.
    OTHER_VARIANT: the event names one that the configuration does not give. NOT_RUNNING: now, or at the event's time.
    LINKED: an anonymous id, whose person is assigned in its place. EXTERNAL: assignments are imported.
    """

    STORED = "stored"
    NEEDS_ATTRIBUTES = "needs_attributes"
    OUTSIDE = "outside"
    OTHER_VARIANT = "other_variant"
    NOT_RUNNING = "not_running"
    OTHER_UNIT_TYPE = "other_unit_type"
    LINKED = "linked"
    TESTER = "tester"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class PlainExposures:
    """What became of the units of one transaction's plain exposures.

    created: the assignments it makes. existing: those that another transaction made meanwhile.
    """

    created: dict[UnitKey, Stored] = field(default_factory=dict)
    existing: dict[UnitKey, Stored] = field(default_factory=dict)
    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)

    def count(self) -> None:
        """Tell the metrics. Once, after the commit."""
        for (experiment, outcome), units in self.outcomes.items():
            UNASSIGNED_EXPOSURES.add(experiment, outcome, count=units)


async def store_plain(connection: Connection, exposures: Iterable[Event], find: Find) -> PlainExposures:
    """Assign the units of these exposures as the configuration says, exposed at the earliest of each."""
    outcomes: Counter[tuple[str, Outcome]] = Counter()
    keys: dict[int, str] = {}
    seen: dict[UnitKey, tuple[str, str]] = {}
    for unit, event in _firsts(exposures).items():
        live = find(unit[0])
        if live is None:  # a draft that was deleted meanwhile
            continue
        keys[unit[0]] = live.key
        outcome, variant = _judge(live, event)
        if outcome is Outcome.STORED:
            seen[unit] = (variant, event.timestamp)
        else:
            outcomes[live.key, outcome] += 1
    if not seen:
        return PlainExposures(outcomes=outcomes)
    links = await read_links(connection, {unit[1:] for unit in seen})
    persons = [unit for unit in seen if unit[1:] in links]
    for unit in persons:
        del seen[unit]
    versions = await insert_evaluated(connection, seen)
    await upsert_users(connection, {unit[1:]: None for unit in versions})
    missing = seen.keys() - versions.keys()
    existing = await read_assignments(connection, sorted(missing))
    for outcome, units in (
        (Outcome.STORED, versions.keys()),
        (Outcome.NOT_RUNNING, missing - existing.keys()),
        (Outcome.LINKED, persons),
    ):
        outcomes.update((keys[unit[0]], outcome) for unit in units)
    created = {
        unit: Stored(seen[unit][0], version, seen[unit][1], True) for unit, version in versions.items()
    }
    return PlainExposures(created, existing, outcomes)


def _firsts(exposures: Iterable[Event]) -> dict[UnitKey, Event]:
    """The earliest exposure of each unit."""
    firsts: dict[UnitKey, Event] = {}
    for event in exposures:
        held = firsts.setdefault(unit_of(event), event)
        if event.timestamp < held.timestamp:
            firsts[unit_of(event)] = event
    return firsts


def _judge(live: LiveExperiment, event: Event) -> tuple[Outcome, str]:
    """What is to become of the exposure, and the variant to store."""
    if live.external:
        return Outcome.EXTERNAL, ""
    if not live.running:
        return Outcome.NOT_RUNNING, ""
    if event.unit_type != live.unit_type:
        return Outcome.OTHER_UNIT_TYPE, ""
    if forced_variant(live.configuration, event.user_id) is not None:
        return Outcome.TESTER, ""
    if live.configuration.targeting is not None:
        return Outcome.NEEDS_ATTRIBUTES, ""
    variant = evaluate(live.configuration, Unit(event.user_id)).variant_key
    if variant is None:
        return Outcome.OUTSIDE, ""
    if event.variant_key is not None and event.variant_key != variant:
        return Outcome.OTHER_VARIANT, ""
    return Outcome.STORED, variant
