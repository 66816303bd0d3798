"""What an experiment's results must say, in plain Python from what was sent: no SQL, nothing of the analysis.

`tests.integration.dbt_project.expected` says what each unit's values are; here units are judged and compared.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from scipy.stats import norm
from scipy.stats import t as student

from tests.end_to_end.lives.design import CONTROL, Json, Life
from tests.end_to_end.lives.platform import Platform, Told
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.expected_values import Raw, Total, Unit, mean_and_variance

_Z = 1.959963984540054
_HOUR = timedelta(hours=1)
_ADJUSTED = ("mean", "count")
_FEWEST = 30


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
        )
    )


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
                        "units": _answering(control) + _answering(treatment),
                        "lift": self._lift(definition, control, treatment),
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
                    found[key, arm, day] = {"units": _answering(control) + _answering(treatment)}
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

    def _finished(self, at: datetime, definition: Json) -> bool:
        """By the hour of the exposure: its last window has ended, with no pause or conclusion in it."""
        seconds = definition.get("window_seconds")
        if seconds is None:
            return True
        hour = at.replace(minute=0, second=0, microsecond=0)
        end = hour + _HOUR + timedelta(seconds=seconds)
        return end <= self._now and not any(hour < cut < end for cut in self.told.cuts)

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
            "adjusted": self._adjusted(definition, sides),
            "p_value": one_look(*sides) if self._has_one_look(definition) else None,
        }

    def _has_one_look(self, definition: Json) -> bool:
        """Whether the unadjusted difference is tested once, as of what was collected elsewhere."""
        alone = definition["type"] in _ADJUSTED and not definition.get("cuped", True)
        return self.life.external and (definition["type"] == "proportion" or alone)

    def _lift(self, definition: Json, control: list[Total], treatment: list[Total]) -> float | None:
        """The difference, adjusted where it can be, as a share of control's value."""
        below, above = mean_of(definition, control), mean_of(definition, treatment)
        if not below or above is None:
            return None
        adjusted = self._adjusted(definition, (control, treatment))
        return (above - below if adjusted is None else adjusted) / abs(below)

    def _adjusted(self, definition: Json, sides: tuple[list[Total], list[Total]]) -> float | None:
        """The difference less what the covariate tells of it; None where the metric has no covariate."""
        if definition["type"] not in _ADJUSTED or not definition.get("cuped", True):
            return None
        arms = [[total for total in totals if not total.missing] for totals in sides]
        if min(len(totals) for totals in arms) < _FEWEST:
            return None
        moments = [_deviations(totals) for totals in arms]
        below = sum(row[3] for row in moments)
        theta = sum(row[2] for row in moments) / below if below else 0.0
        (y_c, x_c, *_), (y_t, x_t, *_) = moments
        return (y_t - y_c) - theta * (x_t - x_c)


def _answering(totals: Sequence[Total]) -> int:
    """Units with a value."""
    return sum(not total.missing for total in totals)


def _deviations(totals: Sequence[Total]) -> tuple[float, float, float, float]:
    """The means of value and covariate, and the sums of products of deviations."""
    y, x = [float(total.value) for total in totals], [float(total.covariate) for total in totals]
    (mean_y, _), (mean_x, _) = mean_and_variance(y), mean_and_variance(x)
    both = math.fsum((a - mean_y) * (b - mean_x) for a, b in zip(y, x, strict=True))
    return mean_y, mean_x, both, math.fsum((b - mean_x) ** 2 for b in x)


def one_look(control: Sequence[Total], treatment: Sequence[Total]) -> dict[str, float] | None:
    """The two-sided p of no difference by the method: Welch's t, or z with each arm's own variance."""
    arms = [[float(total.value) for total in totals if not total.missing] for totals in (control, treatment)]
    if min(len(values) for values in arms) < 2:
        return None
    (mean, of_mean), (other, of_other) = (mean_and_variance(values) for values in arms)
    n, m = (len(values) for values in arms)
    shares = mean * (1 - mean) / n + other * (1 - other) / m
    if not of_mean + of_other or shares == 0:
        return None
    df = (of_mean + of_other) ** 2 / (of_mean**2 / (n - 1) + of_other**2 / (m - 1))
    t = (other - mean) / math.sqrt(of_mean + of_other)
    found = {"welch": 2 * float(student.sf(abs(t), df))}
    if shares > 0:
        found["unpooled_proportions"] = 2 * float(norm.sf(abs(other - mean) / math.sqrt(shares)))
    return found


def mean_of(definition: Json, totals: Sequence[Total]) -> float | None:
    """A metric's value over units: their mean, the ratio of their sums, or their quantile."""
    given = [total for total in totals if not total.missing]
    if not given:
        return None
    value = sum((total.value for total in given), Decimal(0))
    if definition["type"] == "ratio":
        below = sum((total.denominator for total in given), Decimal(0))
        return float(value / below) if below else None
    if definition["type"] == "quantile":
        return quantile([float(total.value) for total in given], float(definition["quantile"]))
    return float(value / len(given))


def quantile(values: Sequence[float], level: float) -> float:
    """Linear between order statistics; among equal values linear in the mid-distribution function."""
    ordered, n = sorted(values), len(values)
    half = _Z * math.sqrt(level * (1 - level) / n)
    low, high = max(level - half, 0.0) * (n - 1), min(level + half, 1.0) * (n - 1)
    reach = ordered[math.floor(low) : math.ceil(high) + 1]
    if len(set(reach)) == len(reach):
        rank = level * (n - 1)
        below, above = ordered[math.floor(rank)], ordered[math.ceil(rank)]
        return below + (rank - math.floor(rank)) * (above - below)
    places: list[tuple[float, float]] = []
    for value in sorted(set(ordered)):
        under, at = sum(one < value for one in ordered), ordered.count(value)
        places.append(((under + at / 2) / n, value))
    if level <= places[0][0]:
        return places[0][1]
    for (share, value), (next_share, next_value) in pairwise(places):
        if share <= level <= next_share:
            return value + (level - share) / (next_share - share) * (next_value - value)
    return places[-1][1]
