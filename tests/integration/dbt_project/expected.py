"""What the marts must hold, worked out in plain Python from raw rows: lists, dictionaries, exact decimals.

It shares no code with the models and reads no table of theirs. A mart is a dictionary from its grain to its columns.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.integration.dbt_project.expected_values import (
    Analysed,
    Mart,
    Raw,
    Row,
    Total,
    Unit,
    aggregate_of,
    amounts_of,
    capped_value,
    mean_and_variance,
    moments_of,
    variance_of_difference,
)

CONVERSIONS = {"conversion", "purchase", "signup", "subscription"}
COVARIATE = timedelta(days=14)
JUST_BEFORE = timedelta(seconds=60)
FUNNEL = timedelta(days=7)


class Expected:
    """All marts of one set of raw rows."""

    def __init__(self, raw: Raw) -> None:
        self.metrics = raw.metrics
        self.pauses = raw.pauses
        erased = {
            row["user_id"]: row["erased_at"] for row in sorted(raw.erasures, key=lambda r: r["erased_at"])
        }

        def alive(row: Row, column: str = "user_id") -> bool:
            return row[column] not in erased or row["received_at"] > erased[row[column]]

        self.persons = {
            row["anonymous_id"]: row["user_id"]
            for row in raw.links
            if alive(row) and alive(row, "anonymous_id")
        }

        def person(row: Row) -> str:
            user: str = row["user_id"]
            return self.persons.get(user, user)

        events = {(row["timestamp"].date(), row["event_id"]): row for row in raw.events if alive(row)}
        self.events: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(events.values(), key=lambda row: (row["timestamp"], row["event_id"])):
            self.events[person(row)].append(row)
        self.assigned: dict[Unit, dict[str, Row]] = defaultdict(dict)
        for row in sorted(filter(alive, raw.assignments), key=self._first_of_a_person):
            self.assigned[row["experiment_id"], person(row)].setdefault(row["variant_key"], row)
        self.units = self._units(raw.populations)
        self.totals = self._totals()

    def _first_of_a_person(self, row: Row) -> tuple[datetime, bool, str]:
        """By time; then the anonymous ids': what a person took over has the time of the original."""
        return row["assigned_at"], row["user_id"] not in self.persons, row["user_id"]

    def _units(self, populations: dict[int, str]) -> dict[Unit, Analysed]:
        units = {}
        for unit, arms in self.assigned.items():
            if len(arms) != 1:
                continue
            (row,) = arms.values()
            met = [event["timestamp"] for event in self._exposures(unit)]
            at = row["assigned_at"] if populations[unit[0]] == "assigned" else min(met, default=None)
            if at is not None:
                units[unit] = Analysed(row["variant_key"], row["version"], row["attributes"], at)
        return units

    def _exposures(self, unit: Unit) -> Iterator[Row]:
        for event in self.events[unit[1]]:
            if event["experiment_id"] == unit[0] and self._is_exposure(event):
                yield event

    def _is_exposure(self, event: Row) -> bool:
        """Of an experiment, while that was not paused."""
        met = min(event["timestamp"], event["received_at"])
        return event["event_type"] == "exposure" and not any(
            number == event["experiment_id"] and began <= met < ended for number, began, ended in self.pauses
        )

    def attributed(self, unit: Unit) -> Iterator[Row]:
        """The unit's events that count in the experiment, in the order of time."""
        for event in self.events[unit[1]]:
            if event["experiment_id"] in (0, unit[0]) and event["timestamp"] >= self.units[unit].at:
                yield event

    def _early(self, unit: Unit) -> Iterator[Row]:
        """The unit's events by a wrong clock, with a time before its exposure, that came after it."""
        at = self.units[unit].at
        for event in self.events[unit[1]]:
            came_after = event["timestamp"] < at <= event["received_at"]
            if (
                event["experiment_id"] in (0, unit[0])
                and came_after
                and (event["clock_offset"] or _from_afar(event))
            ):
                yield event

    def _totals(self) -> dict[tuple[int, str, str], Total]:
        totals = {}
        for unit, analysed in self.units.items():
            near = [event for event in self.events[unit[1]] if event["experiment_id"] in (0, unit[0])]
            for metric in self.metrics:
                begin = analysed.at + timedelta(seconds=metric.get("window_start_seconds") or 0)
                seconds = metric.get("window_seconds")
                end = None if seconds is None else analysed.at + timedelta(seconds=seconds)
                inside = [
                    e for e in near if e["timestamp"] >= begin and (end is None or e["timestamp"] < end)
                ]
                before = [e for e in near if analysed.at - COVARIATE <= e["timestamp"] < analysed.at]
                missed = (
                    []
                    if begin > analysed.at
                    else [e for e in before if e["timestamp"] >= analysed.at - JUST_BEFORE]
                )
                below = metric.get("denominator")
                cap = metric.get("cap")
                answers = amounts_of(metric, inside)
                totals[*unit, metric["key"]] = Total(
                    capped_value(aggregate_of(metric, inside), cap),
                    aggregate_of(below, inside) if below else Decimal(0),
                    capped_value(aggregate_of(metric, before), cap),
                    metric.get("missing") == "exclude" and not answers,
                    len(amounts_of(metric, missed)),
                )
        return totals

    def first_exposures(self) -> Mart:
        return {unit: (row.variant, row.version, row.at) for unit, row in self.units.items()}

    def unit_metric_values(self) -> Mart:
        return {
            place: (row.value, row.denominator, row.covariate, row.missing, row.just_before)
            for place, row in self.totals.items()
        }

    def hourly_metrics(self) -> Mart:
        def hour(at: datetime) -> datetime:
            return at.replace(minute=0, second=0, microsecond=0)

        return self._counts(hour)

    def daily_metrics(self) -> Mart:
        return self._counts(datetime.date)

    def _counts(self, period: Callable[[datetime], Any]) -> Mart:
        counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        values: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        for unit, row in self.units.items():
            counts[unit[0], row.variant, period(row.at)]["first"] += 1
            for event in self.attributed(unit):
                place = (unit[0], row.variant, period(event["timestamp"]))
                counts[place]["exposures" if event["event_type"] == "exposure" else "events"] += 1
                counts[place]["corrected"] += event["clock_offset"] != 0
                counts[place]["from_afar"] += _from_afar(event)
                counts[place]["conversions"] += event["event_type"] in CONVERSIONS
                values[place] += event["value"]
            for event in self._early(unit):
                place = (unit[0], row.variant, period(event["timestamp"]))
                counts[place]["early"] += 1
                counts[place]["corrected" if event["clock_offset"] else "from_afar"] += 1
        return {
            place: (
                *(row[column] for column in ("events", "exposures", "conversions")),
                values[place],
                *(row[column] for column in ("corrected", "from_afar", "early", "first")),
            )
            for place, row in counts.items()
        }

    def experiment_summary(self) -> Mart:
        summary: Mart = {}
        days = self.daily_metrics()
        for number, variant in {(unit[0], row.variant) for unit, row in self.units.items()}:
            units = [unit for unit, row in self.units.items() if (unit[0], row.variant) == (number, variant)]
            mine = [columns for place, columns in days.items() if place[:2] == (number, variant)]
            events, exposures, conversions, value, *_ = (sum(column) for column in zip(*mine, strict=True))
            converted = sum(
                any(event["event_type"] in CONVERSIONS for event in self.attributed(unit)) for unit in units
            )
            summary[number, variant] = (len(units), events, exposures, conversions, converted, value)
        return summary

    def _caps(self) -> dict[tuple[int, str], tuple[Decimal, Decimal]]:
        caps = {}
        for metric in self.metrics:
            if not metric.get("cap_percentile"):
                continue
            for number in {unit[0] for unit in self.units}:
                everyone = [self.totals[*unit, metric["key"]] for unit in self.units if unit[0] == number]
                mine = [total for total in everyone if not total.missing]
                place = max(1, math.ceil(Decimal(metric["cap_percentile"]) * len(mine))) - 1
                caps[number, metric["key"]] = (
                    sorted(total.value for total in mine)[place],
                    sorted(total.covariate for total in mine)[place],
                )
        return caps

    def capped_totals(self) -> Iterator[tuple[Unit, str, Total]]:
        """Every unit's numbers of every metric, with the pooled caps on them."""
        caps = self._caps()
        for (number, user, key), total in self.totals.items():
            value, covariate = caps.get((number, key), (total.value, total.covariate))
            yield (
                (number, user),
                key,
                replace(total, value=min(total.value, value), covariate=min(total.covariate, covariate)),
            )

    def _place_in_time(self, unit: Unit, key: str) -> tuple[int, date, datetime, datetime | None]:
        """The unit's version and day, from when on it may have entered, and when its window has ended for sure."""
        row = self.units[unit]
        hour = row.at.replace(minute=0, second=0, microsecond=0)
        (seconds,) = {metric.get("window_seconds") for metric in self.metrics if metric["key"] == key}
        if seconds is None:
            return row.version, row.at.date(), hour.replace(hour=0), None
        return row.version, row.at.date(), hour, hour + timedelta(hours=1, seconds=seconds)

    def metric_moments(self) -> Mart:
        groups: dict[tuple[Any, ...], list[Total]] = defaultdict(list)
        for unit, key, total in self.capped_totals():
            row = self.units[unit]
            groups[unit[0], row.variant, key, *self._place_in_time(unit, key)].append(total)
        return {place: moments_of(totals) for place, totals in groups.items()}

    def segment_metrics(self) -> Mart:
        groups: dict[tuple[Any, ...], list[Total]] = defaultdict(list)
        for unit, key, total in self.capped_totals():
            row = self.units[unit]
            for attribute, value in json.loads(row.attributes or "{}").items():
                segment = value if isinstance(value, str) else json.dumps(value)
                place = (unit[0], attribute, segment, row.variant, key, *self._place_in_time(unit, key))
                groups[place].append(total)
        return {place: moments_of(totals) for place, totals in groups.items()}

    def revenue_attribution(self) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Units, revenue, and incremental revenue with its interval's ends as floats (None: control, or one unit)."""
        rows: Mart = {}
        groups: dict[tuple[int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        exact: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
        kinds = {m["key"] for m in self.metrics if m["type"] == "mean" and m["aggregation"] == "sum"}
        for unit, key, total in self.capped_totals():
            if key in kinds and not total.missing:
                groups[unit[0], key][self.units[unit].variant].append(float(total.value))
                exact[unit[0], key, self.units[unit].variant] += total.value
        for (number, key), arms in groups.items():
            for variant, values in list(arms.items()):
                lift: tuple[float | None, ...] = (None, None, None)
                if variant != "control" and min(len(values), len(arms["control"])) > 1:
                    (mean, _), (other, _) = mean_and_variance(arms["control"]), mean_and_variance(values)
                    n = len(values)
                    half = 1.959963984540054 * math.sqrt(variance_of_difference(arms["control"], values))
                    if half:
                        lift = ((other - mean) * n, (other - mean - half) * n, (other - mean + half) * n)
                rows[number, key, variant] = (len(values), exact[number, key, variant], *lift)
        return rows

    def user_journeys(self) -> Mart:
        journeys: Mart = {}
        for unit in self.units:
            events = list(self.attributed(unit))
            outcomes = [event for event in events if event["event_type"] != "exposure"]
            conversions = [event["timestamp"] for event in events if event["event_type"] in CONVERSIONS]
            journeys[unit] = (
                len(outcomes),
                len(events) - len(outcomes),
                len(conversions),
                sum((event["value"] for event in events), Decimal(0)),
                min(conversions, default=None),
                max((event["timestamp"] for event in events), default=None),
                tuple(event["event_type"] for event in outcomes[:20]),
                self._last_step(unit),
                tuple(sorted({self._day_since(unit, event) for event in outcomes} - {None})),
                next((event["app_version"] for event in events if event["app_version"]), ""),
                len({event["session_id"] for event in events if event["session_id"]}),
            )
        return journeys

    def _day_since(self, unit: Unit, event: Row) -> int | None:
        since = (event["timestamp"] - self.units[unit].at) // timedelta(days=1)
        return since if since < 90 else None

    def _steps(self) -> list[str]:
        kinds = [m["event_type"] for m in self.metrics if m.get("role") != "guardrail"]
        return ["exposure", *dict.fromkeys(kinds)]

    def _last_step(self, unit: Unit) -> int:
        steps = self._steps()
        # Two events of one instant are taken in the order of their steps.
        taken = sorted(
            (event["timestamp"], steps.index(event["event_type"]) + 1)
            for event in self.attributed(unit)
            if event["event_type"] in steps[1:] and event["timestamp"] < self.units[unit].at + FUNNEL
        )
        last = 1
        for _, step in taken:
            last = step if step == last + 1 else last
        return last

    def funnels(self) -> Mart:
        steps = self._steps()
        reached: dict[tuple[Any, ...], Counter[int]] = defaultdict(Counter)
        for unit, row in self.units.items():
            reached[unit[0], row.variant, row.at.date()][self._last_step(unit)] += 1
        return {
            (*place, step): (kind, counts.total(), sum(n for last, n in counts.items() if last >= step))
            for place, counts in reached.items()
            for step, kind in enumerate(steps, 1)
        }

    def cohort_retention(self) -> Mart:
        cohorts: Counter[tuple[int, str, date]] = Counter()
        active: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        last: dict[tuple[int, date], int] = defaultdict(int)
        for unit, row in self.units.items():
            cohorts[unit[0], row.variant, row.at.date()] += 1
            for event in self.attributed(unit):
                since = (event["timestamp"] - row.at) // timedelta(days=1)
                if event["event_type"] != "exposure" and since < 90:
                    active[unit[0], row.variant, row.at.date(), since].add(unit[1])
                    last[unit[0], row.at.date()] = max(last[unit[0], row.at.date()], since)
        return {
            (*place, since): (units, len(active[*place, since]))
            for place, units in cohorts.items()
            for since in range(last[place[0], place[2]] + 1)
        }

    def exposure_health(self) -> Mart:
        health: Mart = {}
        met: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for user, events in self.events.items():
            for event in events:
                if event["experiment_id"] and self._is_exposure(event):
                    met[event["experiment_id"]][user].append(event)
        for number in {unit[0] for unit in self.assigned}:
            mine = {unit[1]: arms for unit, arms in self.assigned.items() if unit[0] == number}
            health[number,] = (
                len(mine),
                sum(len(arms) > 1 for arms in mine.values()),
                sum(user in mine for user in met[number]),
                sum(len(events) > 1 for events in met[number].values()),
                sum(user not in mine for user in met[number]),
                sum(unit[0] == number for unit in self.units),
                sum(len({e["variant_key"] for e in events} - {""}) > 1 for events in met[number].values()),
            )
        return health

    def exposure_stages(self) -> Mart:
        stages: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        for unit, arms in self.assigned.items():
            row = min(arms.values(), key=lambda row: (row["assigned_at"], row["variant_key"]))
            counts = stages[unit[0], row["version"], row["variant_key"]]
            counts["assigned"] += 1
            counts["exposed"] += any(True for _ in self._exposures(unit))
            if unit in self.units:
                counts["analysed"] += 1
                counts["active"] += any(e["event_type"] != "exposure" for e in self.attributed(unit))
        return {
            place: (row["assigned"], row["exposed"], row["active"], row["analysed"])
            for place, row in stages.items()
        }


def _from_afar(event: Row) -> bool:
    sent_at = event["sent_at"]
    return (
        sent_at is not None
        and not event["clock_offset"]
        and abs(sent_at - event["received_at"]) > timedelta(days=1)
    )
