"""What an experiment's results must say, in plain Python from what was sent: no SQL, nothing of the analysis.

`tests.integration.dbt_project.expected` says what each unit's values are; here units are judged and compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.end_to_end.lives.design import CONTROL, Json, Life
from tests.end_to_end.lives.formulas import ADJUSTED, adjusted_difference, answering, lift, mean_of, one_look
from tests.end_to_end.lives.platform import Platform, Told
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.expected_values import Raw, Total, Unit

_HOUR = timedelta(hours=1)


def expected_of(life: Life, platform: Platform) -> Expected:
    """The plain computation of the marts of one life."""
    told = platform.told[life.key]
    assignments = [row for row in platform.assignments if row["experiment_id"] == told.number]
    defaults = {"role": "primary", "missing": "zero"}
    metrics = [defaults | definition for definition in life.definitions()]
    return Expected(
        Raw(
            populations={told.number: "assigned" if life.assigned_count else "exposed"},
            metrics=metrics,
            assignments=assignments,
            events=[row for row in platform.events if row["experiment_id"] in (0, told.number)],
            erasures=platform.erasures,
            links=platform.links,
            pauses=[] if life.external else _pauses(told),
        )
    )


def _pauses(told: Told) -> list[tuple[int, datetime, datetime]]:
    ends = [*told.goes_on, datetime.max.replace(tzinfo=UTC)]
    return [(told.number, began, ended) for began, ended in zip(told.cuts, ends, strict=False)]


@dataclass(frozen=True, slots=True)
class Judged:
    """One unit's numbers of one metric. finished: whether they are compared, or shown as unfinished."""

    arm: str
    version: int
    day: date
    total: Total
    finished: bool


class PlainResults:
    """The results of one life. now: the moment they speak of."""

    def __init__(self, life: Life, told: Told, expected: Expected, now: datetime) -> None:
        self.life, self.told, self.expected = life, told, expected
        self._now = now
        self._judged: dict[str, dict[Unit, Judged]] = defaultdict(dict)
        definitions = {definition["key"]: definition for definition in life.definitions()}
        for unit, key, total in expected.capped_totals():
            row = expected.units[unit]
            finished = self._finished(row.at, definitions[key])
            self._judged[key][unit] = Judged(row.variant, row.version, row.at.date(), total, finished)
        self._definitions = definitions

    @property
    def units(self) -> int:
        return len(self.expected.units)

    @property
    def assigned(self) -> int:
        return len(self.expected.assigned)

    def items(self) -> dict[tuple[str, str], Json]:
        """What is said of each metric and treatment."""
        return {
            (key, arm): self._item(definition, arm)
            for key, definition in self._definitions.items()
            for arm in self.life.arms[1:]
        }

    def segments(self) -> dict[tuple[str, str, str, str], Json]:
        """Units and lift in each value of each attribute, of the primary metrics that are no quantiles."""
        found: dict[tuple[str, str, str, str], Json] = {}
        for (attribute, value), members in self._members().items():
            for key, definition in self._definitions.items():
                if definition.get("role", "primary") != "primary" or definition["type"] == "quantile":
                    continue
                for arm in self.life.arms[1:]:
                    rows = [row for unit, row in self._judged[key].items() if unit in members]
                    control, treatment = self._compared(rows, arm)
                    found[attribute, value, key, arm] = {
                        "units": answering(control) + answering(treatment),
                        "lift": lift(definition, control, treatment),
                    }
        return found

    def effects(self) -> dict[tuple[str, str, date], Json]:
        """Units that entered up to each day and have finished, and the difference of them."""
        found: dict[tuple[str, str, date], Json] = {}
        every = {row.day for rows in self._judged.values() for row in rows.values() if row.finished}
        for key, definition in self._definitions.items():
            if definition["type"] == "quantile":
                continue
            for day in every:
                everyone = list(self._judged[key].values())
                rows = [row for row in everyone if row.day <= day]
                for arm in self.life.arms[1:]:
                    control, treatment = self._compared(rows, arm, everyone)
                    found[key, arm, day] = {"units": answering(control) + answering(treatment)}
        return found

    def journeys(self) -> dict[tuple[str, tuple[str, ...]], tuple[int, int, Decimal]]:
        """Units, converted units and value of each path of each arm."""
        found: dict[tuple[str, tuple[str, ...]], tuple[int, int, Decimal]] = {}
        for unit, row in self.expected.user_journeys().items():
            place = self.expected.units[unit].variant, row[6]
            units, converted, value = found.get(place, (0, 0, Decimal(0)))
            found[place] = units + 1, converted + (row[2] > 0), value + row[3]
        return found

    def _members(self) -> Mapping[tuple[str, str], set[Unit]]:
        """The units with each value of each attribute, as they said it when they were assigned."""
        found: dict[tuple[str, str], set[Unit]] = defaultdict(set)
        for unit, row in self.expected.units.items():
            for attribute, value in json.loads(row.attributes or "{}").items():
                found[attribute, value if isinstance(value, str) else json.dumps(value)].add(unit)
        return found

    @property
    def waits(self) -> bool:
        """Whether a unit of an import may still finish a window: its one test is taken after that."""
        return self.life.external and any(
            end > self._now and not cut
            for row in self.expected.units.values()
            for definition in self._definitions.values()
            for end, cut in [self._window(row.at, definition)]
        )

    def _finished(self, at: datetime, definition: Json) -> bool:
        """By the hour of the exposure: its last window has ended, with no pause or conclusion in it."""
        end, cut = self._window(at, definition)
        return end <= self._now and not cut

    def _window(self, at: datetime, definition: Json) -> tuple[datetime, bool]:
        """When the last window of that hour's units ends, and whether a pause or the conclusion came before."""
        seconds = definition.get("window_seconds")
        hour = at.replace(minute=0, second=0, microsecond=0)
        if seconds is None:
            return hour, False
        end = hour + _HOUR + timedelta(seconds=seconds)
        return end, any(hour < cut < end for cut in self.told.cuts)

    def _compared(
        self, rows: Sequence[Judged], arm: str, among: Sequence[Judged] = ()
    ) -> tuple[list[Total], list[Total]]:
        """The finished units of control and the arm, of the versions in which both enrolled where not all were such.

        among: the units by which that is told; those of `rows` where there are none.
        """
        entered: dict[frozenset[str], set[str]] = defaultdict(set)
        for row in among or rows:
            if row.arm in (CONTROL, arm):
                entered[self.told.versions[row.version]].add(row.arm)
        live = {active for active in entered if {CONTROL, arm} <= active}
        if len(live) < len(entered):
            live = {active for active in live if entered[active] == {CONTROL, arm}}
        mine = [row for row in rows if row.finished and self.told.versions[row.version] in live]
        return (
            [row.total for row in mine if row.arm == CONTROL],
            [row.total for row in mine if row.arm == arm],
        )

    def is_restricted(self, arm: str) -> bool:
        """Whether some units entered while the arm or control did not enrol."""
        rows = next(iter(self._judged.values()), {}).values()
        versions = {self.told.versions[row.version] for row in rows if row.arm in (CONTROL, arm)}
        return any(not {CONTROL, arm} <= active for active in versions)

    def _item(self, definition: Json, arm: str) -> Json:
        rows = list(self._judged[definition["key"]].values())
        sides = self._compared(rows, arm)
        said: Json = {}
        for name, own, totals in zip(("control", "variant"), (CONTROL, arm), sides, strict=True):
            given = [total for total in totals if not total.missing]
            mine = [row for row in rows if row.arm == own]
            waiting = [row.total for row in mine if not row.finished]
            said[f"n_{name}"] = len(given)
            said[f"mean_{name}"] = mean_of(definition, totals)
            said[f"missing_{name}"] = sum(row.total.missing for row in mine if row.finished)
            said[f"unfinished_{name}"] = len(waiting)
            said[f"so_far_{name}"] = (
                None if definition["type"] == "quantile" else mean_of(definition, waiting)
            )
        return said | {
            "adjusted": adjusted_difference(definition, *sides),
            "p_value": one_look(*sides) if self._has_one_look(definition) else None,
        }

    def _has_one_look(self, definition: Json) -> bool:
        """Whether the unadjusted difference is tested once, as of what was collected elsewhere."""
        alone = definition["type"] in ADJUSTED and not definition.get("cuped", True)
        return self.life.external and (definition["type"] == "proportion" or alone)
