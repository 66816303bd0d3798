"""A month of events that retention let go: what was built of it stays, whatever comes afterwards."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from neonblue.contract.messages import ExperimentMessage
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_experiments
from orchestration.defs.maintenance.repository import drop_months
from orchestration.defs.significance.recompute import can_recompute
from orchestration.defs.significance.repository import read_configurations
from orchestration.defs.significance.sampling import differences
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.raw import small_plan, whole_tables
from tests.integration.dbt_project.test_erasure import erase
from tests.integration.warehouse import rows

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other

BEFORE = "exposure_date < '2026-03-01'"
_EVENT = """
INSERT INTO events_processed
    (event_id, experiment_id, user_id, unit_type, event_type, timestamp, received_delay, ingested_delay, _offset)
SELECT generateUUIDv4(), {experiment}, user_id, unit_type, '{kind}', {at}, 0,
    toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(toDateTime64({at}, 3, 'UTC')), rand()
FROM (SELECT DISTINCT experiment_id, user_id, unit_type FROM first_exposures WHERE {of})
"""


def build(warehouse: Warehouse, *arguments: str) -> None:
    """Models and their tests."""
    warehouse.dbt("build", "--exclude", "path:models/live", *arguments)


def old_numbers(warehouse: Warehouse) -> list[list[tuple[object, ...]]]:
    """What the days of the dropped month hold."""
    return [
        rows(warehouse.client, f"SELECT {what} FROM {table} WHERE {day} < '2026-03-01' GROUP BY 1 ORDER BY 1")
        for table, day, what in (
            ("first_exposures", "exposure_date", "exposure_date, count()"),
            ("unit_metric_values", "exposure_date", "exposure_date, count(), sum(value_decimal)"),
            ("user_journeys", "exposure_date", "exposure_date, sum(events), sum(value)"),
            ("metric_moments", "exposure_date", "exposure_date, sum(n), sum(sum_value)"),
            ("funnels", "exposure_date", "exposure_date, sum(units)"),
            ("hourly_metrics", "date", "date, sum(events), sum(first_exposures)"),
            ("daily_metrics", "date", "date, sum(events), sum(first_exposures)"),
        )
    ]


def recomputed(warehouse: Warehouse) -> tuple[int, int]:
    """Of how many values, of units in any experiment, how many differ from what the raw events give."""
    looked, differ = 0, 0
    newest: list[ExperimentMessage] = [
        versions[max(versions)] for versions in read_configurations(warehouse.client).values()
    ]
    built = datetime.now(UTC) + timedelta(hours=1)
    for experiment in newest:
        for metric in experiment.metrics:
            if can_recompute(metric):
                units, found = differences(warehouse.client, experiment, metric, built, "seed")
                looked, differ = looked + units, differ + len(found)
    return looked, differ


def test_what_was_built_of_a_dropped_month_stays_whatever_comes(warehouse: Warehouse) -> None:
    history = History(small_plan(4, days=20))
    assignments, events = whole_tables(history)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("assignments", assignments)
    warehouse.write("events", events)
    warehouse.write("links", history.links())
    build(warehouse)
    built = old_numbers(warehouse)
    assert all(built)
    ((units,),) = rows(warehouse.client, "SELECT count() FROM first_exposures")

    drop_months(warehouse.client, [date(2026, 2, 1)])

    looked, differ = recomputed(warehouse)
    assert looked > 0
    assert differ == 0
    # People of then come back; some meet their experiment again, and of others something comes late for the month.
    for experiment, kind, at in (
        ("0", "page_view", "now64(6, 'UTC')"),
        ("experiment_id", "exposure", "now64(6, 'UTC')"),
        ("0", "page_view", "toDateTime64('2026-02-20 12:00:00', 6, 'UTC')"),
    ):
        warehouse.client.command(_EVENT.format(experiment=experiment, kind=kind, at=at, of=BEFORE))
    late = "toDateTime64('2026-02-20 12:00:00', 6, 'UTC')"
    after = "exposure_date >= '2026-03-01' AND user_id NOT IN (SELECT anonymous_id FROM user_links)"
    warehouse.client.command(_EVENT.format(experiment="experiment_id", kind="exposure", at=late, of=after))
    build(warehouse)

    assert old_numbers(warehouse) == built
    assert rows(warehouse.client, "SELECT count() FROM first_exposures") == [(units,)]
    assert rows(
        warehouse.client, "SELECT uniqExact(experiment_id, unit_type, user_id) FROM first_exposures"
    ) == [(units,)]
    assert recomputed(warehouse)[1] == 0

    ((gone,),) = rows(warehouse.client, f"SELECT min(user_id) FROM first_exposures WHERE {BEFORE}")
    erase(warehouse, str(gone))
    build(warehouse)
    build(warehouse)

    for table in ("first_exposures", "unit_metric_values", "user_journeys"):
        assert rows(warehouse.client, f"SELECT count() FROM {table} WHERE user_id = '{gone}'") == [(0,)], (
            table
        )
    ((left,),) = rows(warehouse.client, "SELECT count() FROM first_exposures")
    assert left < units

    build(warehouse, "--full-refresh")
    assert old_numbers(warehouse) == [[]] * len(built)
    assert recomputed(warehouse)[1] == 0
