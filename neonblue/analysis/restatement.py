"""What a published result would say today about the same units, and why it differs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

from neonblue.analysis import MomentRow
from neonblue.analysis.rows import NO_PRODUCTS, Products
from neonblue.contract.messages import ExperimentMessage, MetricMessage


class Cause(StrEnum):
    """Why the sums of a day's units are no longer those that were published."""

    METRIC_CHANGED = "metric_changed"
    METRIC_REMOVED = "metric_removed"
    WINDOW_OPEN = "window_open"
    LATE_EVENTS = "late_events"
    UNITS_ADDED = "units_added"
    UNITS_REMOVED = "units_removed"
    CODE_CHANGED = "code_changed"


_WORDS = {
    Cause.METRIC_CHANGED: "The metric's definition has changed since.",
    Cause.METRIC_REMOVED: "The experiment no longer has this metric.",
    Cause.WINDOW_OPEN: "Units were still within their window, or their day was still open, when this was published.",
    Cause.LATE_EVENTS: "Events of these units arrived after this was published.",
    Cause.UNITS_ADDED: "Units that entered on these days arrived after this was published.",
    Cause.UNITS_REMOVED: (
        "Units were erased, linked with another id, or found in several variants after this was published."
    ),
    Cause.CODE_CHANGED: "The models of another version of the code give other sums.",
}


@dataclass(frozen=True, slots=True)
class Restatement:
    """One metric of one arm over the days that were published: then and now. days: those that differ."""

    metric_key: str
    variant_key: str
    cause: str
    reason: str
    days: tuple[date, ...]
    n_published: int
    n_now: int | None
    mean_published: float | None
    mean_now: float | None


@dataclass(frozen=True, slots=True)
class Published:
    """What is compared: the sums that were published, when, and by which code."""

    configuration: ExperimentMessage
    moments: tuple[MomentRow, ...]
    computed_at: datetime
    code_version: str


def restatements(
    published: Published, now: ExperimentMessage, moments: Iterable[MomentRow], code_version: str
) -> tuple[Restatement, ...]:
    """What differs in the units of the published days, metric by metric and arm by arm; later days are no part of it.

    The cause is the first that explains it: another definition, an open window, units that came or went, late events.
    A difference of sums alone under another version of the code is the code's.
    """
    before, after = _by_cell(published.moments), _by_cell(moments)
    metrics = {metric.key: metric for metric in now.metrics}
    found = []
    for key, variant in sorted(before):
        then = before[key, variant]
        old = next((metric for metric in published.configuration.metrics if metric.key == key), None)
        version = next(iter(then.values())).metric_version
        current = {day: sums for day, sums in after.get((key, variant), {}).items() if day <= max(then)}
        new = metrics.get(key)
        if new is None:
            found.append(_restatement(key, variant, Cause.METRIC_REMOVED, (), then, {}))
            continue
        if new.version != version:
            found.append(_restatement(key, variant, Cause.METRIC_CHANGED, (), then, current))
            continue
        days = tuple(day for day in sorted(then.keys() | current.keys()) if then.get(day) != current.get(day))
        if days:
            open_ = all(_was_open(day, old or new, published.computed_at) for day in days)
            other_code = published.code_version != code_version
            cause = _cause(then, current, days, open_=open_, other_code=other_code)
            found.append(_restatement(key, variant, cause, days, then, current))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Sums:
    metric_version: int
    n: int
    missing: int
    total: Decimal
    squares: Decimal
    denominator: Products
    covariate: Products

    @property
    def units(self) -> int:
        """With and without a value: one that has none yet is there."""
        return self.n + self.missing

    def plus(self, row: MomentRow) -> _Sums:
        return _Sums(
            row.metric_version,
            self.n + row.n,
            self.missing + row.missing,
            self.total + row.sum_value,
            self.squares + row.sum_squares,
            self.denominator.plus(row.denominator or NO_PRODUCTS),
            self.covariate.plus(row.covariate or NO_PRODUCTS),
        )


_Days = Mapping[date, _Sums]


def _by_cell(rows: Iterable[MomentRow]) -> dict[tuple[str, str], dict[date, _Sums]]:
    newest: dict[str, int] = defaultdict(int)
    rows = tuple(rows)
    for row in rows:
        newest[row.metric_key] = max(newest[row.metric_key], row.metric_version)
    cells: dict[tuple[str, str], dict[date, _Sums]] = defaultdict(dict)
    for row in rows:
        if row.metric_version == newest[row.metric_key]:
            cell = cells[row.metric_key, row.variant_key]
            nothing = _Sums(row.metric_version, 0, 0, Decimal(0), Decimal(0), NO_PRODUCTS, NO_PRODUCTS)
            cell[row.exposure_date] = cell.get(row.exposure_date, nothing).plus(row)
    return cells


def _was_open(day: date, metric: MetricMessage, computed_at: datetime) -> bool:
    """Whether units that entered on the day could still change the metric. Without a window they always can."""
    if metric.window_seconds is None:
        return True
    end = datetime.combine(day + timedelta(days=1), time(), UTC) + timedelta(seconds=metric.window_seconds)
    return computed_at < end


def _cause(then: _Days, now: _Days, days: Iterable[date], *, open_: bool, other_code: bool) -> Cause:
    before = {day: then[day].units if day in then else 0 for day in days}
    after = {day: now[day].units if day in now else 0 for day in days}
    if any(after[day] < before[day] for day in before):
        return Cause.UNITS_REMOVED
    if open_:
        return Cause.WINDOW_OPEN
    if any(after[day] > before[day] for day in before):
        return Cause.UNITS_ADDED
    return Cause.CODE_CHANGED if other_code else Cause.LATE_EVENTS


def _restatement(
    key: str, variant: str, cause: Cause, days: tuple[date, ...], then: _Days, now: _Days
) -> Restatement:
    removed = cause is Cause.METRIC_REMOVED
    ratio = any(sums.denominator != NO_PRODUCTS for sums in then.values())
    return Restatement(
        key,
        variant,
        cause.value,
        _WORDS[cause],
        days,
        _units(then),
        None if removed else _units(now),
        _mean(then, ratio=ratio),
        _mean(now, ratio=ratio),
    )


def _units(days: _Days) -> int:
    return sum(sums.n for sums in days.values())


def _mean(days: _Days, *, ratio: bool) -> float | None:
    """Per unit with a value; of a ratio per denominator."""
    total = sum((sums.total for sums in days.values()), Decimal(0))
    of = sum((sums.denominator.sum for sums in days.values()), Decimal(0)) if ratio else Decimal(_units(days))
    return float(total / of) if of else None
