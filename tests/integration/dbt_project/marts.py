"""Reads the marts as `Expected` says them: a dictionary from the grain to the columns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.integration.dbt_project.expected_values import Mart
from tests.integration.warehouse import rows

MOMENTS = (
    "n, missing, sum_value, sum_squares, sum_denominator, sum_denominator_squares, sum_value_denominator, "
    "sum_covariate, sum_covariate_squares, sum_value_covariate, sum_denominator_covariate, just_before"
)
ENTERED = "version, exposure_date, entered_from, finishes_at"
COUNTS = (
    "events, exposures, conversions, value, corrected_events, events_from_afar, early_events, first_exposures"
)
# Each mart's grain and its other columns. Build columns are left out.
COLUMNS = {
    "first_exposures": ("experiment_id, user_id", "variant_key, version, first_exposed_at"),
    "unit_metric_values": (
        "experiment_id, user_id, metric_key",
        "value_decimal, denominator, covariate, is_missing, just_before",
    ),
    "hourly_metrics": ("experiment_id, variant_key, hour", COUNTS),
    "daily_metrics": ("experiment_id, variant_key, date", COUNTS),
    "experiment_summary": (
        "experiment_id, variant_key",
        "units, events, exposures, conversions, converted_units, value",
    ),
    "metric_moments": (f"experiment_id, variant_key, metric_key, {ENTERED}", MOMENTS),
    "segment_metrics": (f"experiment_id, attribute, segment, variant_key, metric_key, {ENTERED}", MOMENTS),
    "revenue_attribution": (
        "experiment_id, metric_key, variant_key",
        "units, revenue, incremental_revenue, incremental_low, incremental_high",
    ),
    "user_journeys": (
        "experiment_id, user_id",
        "events, exposures, conversions, value, first_converted_at, last_event_at, path, last_step, active_days, "
        "app_version, sessions",
    ),
    "funnels": ("experiment_id, variant_key, exposure_date, step", "event_type, entered_units, units"),
    "cohort_retention": (
        "experiment_id, variant_key, exposure_date, day_since",
        "cohort_units, active_units",
    ),
    "exposure_health": (
        "experiment_id",
        "assigned_units, units_in_several_variants, exposed_units, units_exposed_repeatedly, "
        "exposed_without_assignment, analysed_units, units_exposed_to_several_variants",
    ),
    "exposure_stages": (
        "experiment_id, version, variant_key",
        "assigned_units, exposed_units, active_units, analysed_units",
    ),
}


# Columns that a live view does not have: docs/warehouse.md says why.
NOT_LIVE = {"user_journeys": ("sessions",), "exposure_health": ("units_exposed_to_several_variants",)}


def read(client: Client, name: str, *, live: bool = False, comparable: bool = False) -> Mart:
    """One mart, or its live view. comparable: without the columns that only the table has."""
    grain, columns = COLUMNS[name]
    if live or comparable:
        left_out = NOT_LIVE.get(name, ())
        columns = ", ".join(column for column in columns.split(", ") if column not in left_out)
    keys = len(grain.split(","))
    query = f"SELECT {grain}, {columns} FROM {'live_' if live else ''}{name}"
    found = [tuple(as_plain(value) for value in row) for row in rows(client, query)]
    mart = {row[:keys]: row[keys:] for row in found}
    assert len(mart) == len(found), f"{name}: two rows of one grain"
    return mart


def as_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return value
    return tuple(value) if isinstance(value, list) else value
