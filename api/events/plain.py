"""Exposures of units without an assignment: the variant was shown ahead of it, and an event alone tells so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from api.assignments.cache import Stored, UnitKey
from api.assignments.repository import insert_earlier, read_assignments, upsert_users
from api.events.carried import first_of_each, unit_of
from api.events.judging import Judge, Outcome
from api.identity.links import read_links
from api.metrics import UNASSIGNED_EXPOSURES
from api.postgres.database import Connection
from neonblue.contract.events import Event


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


async def store_plain(
    connection: Connection, exposures: Iterable[Event], judges: Mapping[int, Judge]
) -> PlainExposures:
    """Assign the units of these exposures as the configuration said then, exposed at the earliest of each."""
    firsts, refused = first_of_each(exposures, judges, Judge.plain)
    links = await read_links(connection, {unit[1:] for unit in firsts}) if firsts else {}
    wanted = {unit: new for unit, new in firsts.items() if unit[1:] not in links}
    inserted = await insert_earlier(connection, list(wanted.values()))
    await upsert_users(connection, {unit[1:]: None for unit in inserted})
    existing = await read_assignments(connection, sorted(wanted.keys() - inserted))
    found: dict[UnitKey, Outcome] = {}
    for event, outcome in refused:
        found.setdefault(unit_of(event), outcome)
    found |= dict.fromkeys(firsts, Outcome.LINKED)
    found |= dict.fromkeys(inserted, Outcome.STORED)
    outcomes = Counter(
        (judges[unit[0]].live.key, outcome) for unit, outcome in found.items() if unit not in existing
    )
    return PlainExposures({unit: wanted[unit].stored() for unit in inserted}, existing, outcomes)
