"""An experiment's tables beside its results: over time, funnel, journeys, cohorts, revenue, stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from neonblue.analysis import Question, too_small
from neonblue.analysis.answer import finite
from neonblue.analysis.instants import Instant
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.warehouse import Mart, Warehouse

Row = TypeVar("Row")

_DAYS = """
SELECT variant_key, toDateTime64(date, 0, 'UTC'), events, exposures, conversions, toFloat64(value), first_exposures
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32} AND events + exposures + first_exposures > 0
ORDER BY date, variant_key
"""
_HOURS = """
SELECT variant_key, toDateTime64(hour, 0, 'UTC'), events, exposures, conversions, toFloat64(value), first_exposures
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32} AND events + exposures + first_exposures > 0
ORDER BY hour, variant_key
"""
_FUNNEL = """
SELECT variant_key, step, any(event_type), sum(entered_units), sum(units)
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
GROUP BY variant_key, step
ORDER BY step, variant_key
"""
_JOURNEYS = """
SELECT variant_key, path, count() AS units, countIf(conversions > 0), sum(toFloat64(value))
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
GROUP BY variant_key, path
ORDER BY variant_key, units DESC, path
LIMIT {limit:UInt32} BY variant_key
"""
_APP_VERSIONS = """
SELECT variant_key, app_version, count() AS units, countIf(conversions > 0), sum(conversions), sum(toFloat64(value))
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
GROUP BY variant_key, app_version
ORDER BY variant_key, units DESC, app_version
LIMIT {limit:UInt32} BY variant_key
"""
_COHORTS = """
SELECT variant_key, exposure_date, day_since, cohort_units, active_units
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
ORDER BY exposure_date, variant_key, day_since
"""
_REVENUE = """
SELECT
    metric_key, metric_version, variant_key, is_control, window_seconds, units, toFloat64(revenue), revenue_per_unit,
    incremental_revenue, incremental_low, incremental_high, status
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
ORDER BY metric_key, metric_version, is_control DESC, variant_key
"""
_STAGES = """
SELECT version, variant_key, assigned_units, exposed_units, active_units, analysed_units
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
ORDER BY version, variant_key
"""
_CLOCKS = """
SELECT sum(events + exposures + early_events), sum(corrected_events), sum(events_from_afar), sum(early_events)
FROM {relation:Identifier}
WHERE experiment_id = {experiment:UInt32}
"""


class Interval(StrEnum):
    """The grain of a time series."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class SeriesItem:
    """What happened in one UTC hour or day, to one variant's units after their first exposure. These add over time."""

    variant_key: str
    start: Instant
    events: int
    exposures: int
    conversions: int
    value: float
    first_exposures: int


@dataclass(frozen=True, slots=True)
class FunnelItem:
    """Units that reached the step after all before it, of those that entered (step 1: the exposure)."""

    variant_key: str
    step: int
    event_type: str
    entered_units: int
    units: int


@dataclass(frozen=True, slots=True)
class JourneyItem:
    """A path of events after the first exposure, and how many units went it."""

    variant_key: str
    path: tuple[str, ...]
    units: int
    converted_units: int
    value: float


@dataclass(frozen=True, slots=True)
class AppVersionItem:
    """Units whose first event that names a version, from their first exposure on, names this one; empty: none does."""

    variant_key: str
    app_version: str
    units: int
    converted_units: int
    conversions: int
    value: float


@dataclass(frozen=True, slots=True)
class CohortItem:
    """Units that entered on a day, and those of them that were active so many days later."""

    variant_key: str
    exposure_date: date
    day_since: int
    cohort_units: int
    active_units: int


@dataclass(frozen=True, slots=True)
class RevenueItem:
    """Revenue of a metric's window. incremental_revenue: against control's revenue per unit, for as many units."""

    metric_key: str
    metric_version: int
    variant_key: str
    is_control: bool
    window_seconds: int | None
    units: int
    revenue: float
    revenue_per_unit: float | None
    incremental_revenue: float | None
    incremental_low: float | None
    incremental_high: float | None
    status: str


@dataclass(frozen=True, slots=True)
class StageItem:
    """Units of one arm and configuration version at each stage on the way into the analysis."""

    version: int
    variant_key: str
    assigned_units: int
    exposed_units: int
    active_units: int
    analysed_units: int


@dataclass(frozen=True, slots=True)
class ClockCounts:
    """Events of an experiment that count, or came after the exposure with a time before it by a wrong clock.

    corrected: those whose time was corrected; from_afar: those from a clock too far away for that; early: those that
    do not count, for their time lies before the exposure.
    """

    events: int
    corrected: int
    from_afar: int
    early: int


def read_clocks(warehouse: Warehouse, experiment: ExperimentMessage) -> list[ClockCounts]:
    """One item. Raises NotBuilt."""
    return _items(ClockCounts, warehouse.of_experiment(Mart.DAILY_METRICS, _CLOCKS, experiment))


def read_series(warehouse: Warehouse, experiment: ExperimentMessage, interval: Interval) -> list[SeriesItem]:
    """The experiment hour by hour or day by day. Raises NotBuilt."""
    if interval is Interval.HOUR:
        rows = warehouse.of_experiment(Mart.HOURLY_METRICS, _HOURS, experiment)
    else:
        rows = warehouse.of_experiment(Mart.DAILY_METRICS, _DAYS, experiment)
    return _items(SeriesItem, rows)


def read_funnel(warehouse: Warehouse, experiment: ExperimentMessage) -> list[FunnelItem]:
    """The funnel over all cohorts. Raises NotBuilt."""
    return _items(FunnelItem, warehouse.of_experiment(Mart.FUNNELS, _FUNNEL, experiment))


def read_journeys(warehouse: Warehouse, experiment: ExperimentMessage, limit: int) -> list[JourneyItem]:
    """The paths that most units of each variant went, at most `limit` of each. Raises NotBuilt."""
    rows = warehouse.of_experiment(Mart.USER_JOURNEYS, _JOURNEYS, experiment, limit=limit)
    return [JourneyItem(variant, tuple(path), *rest) for variant, path, *rest in rows]


def read_app_versions(
    warehouse: Warehouse, experiment: ExperimentMessage, limit: int
) -> list[AppVersionItem]:
    """The versions of the app that most units of each variant have, at most `limit` of each. Raises NotBuilt."""
    rows = warehouse.of_experiment(Mart.USER_JOURNEYS, _APP_VERSIONS, experiment, limit=limit)
    return _items(AppVersionItem, rows)


def read_cohorts(warehouse: Warehouse, experiment: ExperimentMessage) -> list[CohortItem]:
    """Retention by day of the first exposure. Raises NotBuilt."""
    return _items(CohortItem, warehouse.of_experiment(Mart.COHORT_RETENTION, _COHORTS, experiment))


def read_revenue(warehouse: Warehouse, experiment: ExperimentMessage) -> list[RevenueItem]:
    """Revenue of each metric that sums values. Raises NotBuilt."""
    return _items(RevenueItem, warehouse.of_experiment(Mart.REVENUE_ATTRIBUTION, _REVENUE, experiment))


def shown_revenue(items: Sequence[RevenueItem], question: Question) -> list[RevenueItem]:
    """The items as people read them: without what a treatment brought where an arm has too few units to tell."""
    control = {(i.metric_key, i.metric_version): i.units for i in items if i.is_control}
    arms, found = len(question.experiment.arms), []
    for item in items:
        units = control.get((item.metric_key, item.metric_version), 0), item.units
        few = None if item.is_control else too_small(question.plan, arms, units)
        if few is not None:
            item = replace(
                item,
                incremental_revenue=None,
                incremental_low=None,
                incremental_high=None,
                status=few.code.value,
            )
        found.append(item)
    return found


def read_stages(warehouse: Warehouse, experiment: ExperimentMessage) -> list[StageItem]:
    """Assigned, exposed, active and analysed units. Raises NotBuilt."""
    return _items(StageItem, warehouse.of_experiment(Mart.EXPOSURE_STAGES, _STAGES, experiment))


def _items(kind: type[Row], rows: Sequence[Sequence[Any]]) -> list[Row]:
    return [kind(*(finite(value) if isinstance(value, float) else value for value in row)) for row in rows]
