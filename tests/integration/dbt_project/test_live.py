"""The live views while a day is open, and the marts when it is closed: the same rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_erasures, insert_experiments
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.marts import read
from tests.integration.dbt_project.raw import (
    paused,
    raw_rows,
    sent_while_paused,
    small_plan,
    split,
    whole_tables,
)
from tests.integration.dbt_project.test_history import assert_mart

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other

LIVE = (
    "first_exposures",
    "unit_metric_values",
    "hourly_metrics",
    "daily_metrics",
    "experiment_summary",
    "metric_moments",
    "segment_metrics",
    "revenue_attribution",
    "user_journeys",
    "funnels",
    "cohort_retention",
    "exposure_health",
    "exposure_stages",
)


@pytest.mark.parametrize(("seed", "late_share"), [(10, 0), (11, 0.1), (12, 0)])
def test_what_is_live_today_is_tomorrows_mart(warehouse: Warehouse, seed: int, late_share: float) -> None:
    # The history ended within a day: the views read the last days' events from their own table, which keeps no older
    # ones. It ends at one time of day: whenever this is run, the same happens in it.
    now = datetime.now(UTC)
    end = now.replace(hour=15, minute=30, second=0, microsecond=0)
    end -= timedelta(days=end > now)
    history = History(small_plan(seed, end=end, days=8))
    today = (end - timedelta(hours=12)).date()
    opened = datetime(today.year, today.month, today.day, tzinfo=UTC)
    assignments, events = whole_tables(history)
    # Of hours that are closed by and by, and of open ones.
    pauses = [
        (1, opened + timedelta(hours=hours), opened + timedelta(hours=hours + 3)) for hours in (-14, 4, 8)
    ]
    events = pa.concat_tables([events, sent_while_paused(events, *pauses)])
    events = without_late_clocks(events)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    insert_experiments(warehouse.client, paused(history.plan.designs()[0].versions(), *pauses))
    insert_erasures(warehouse.client, history)
    early = pa.compute.less(events["timestamp"], pa.scalar(opened, pa.timestamp("us", "UTC")))
    assigned_early = pa.compute.less(assignments["assigned_at"], pa.scalar(opened, pa.timestamp("us", "UTC")))
    # Links of people who are first assigned today come when the morning is built, all others before.
    links = history.links()
    assigned = set(assignments["user_id"].to_pylist())
    early_ids = set(assignments.filter(assigned_early)["user_id"].to_pylist())
    ids = zip(links["anonymous_id"].to_pylist(), links["user_id"].to_pylist(), strict=True)
    of_today = pa.array(
        [anonymous in assigned and not early_ids & {anonymous, user} for anonymous, user in ids]
    )
    assert of_today.true_count, "nobody is linked today"
    warehouse.write("links", links.filter(pa.compute.invert(of_today)))
    warehouse.write("assignments", assignments.filter(assigned_early))
    # Some rows of closed hours may come after the first build; some of open hours do, which it had seen already.
    in_time, late = split(events.filter(early), seed, late_share)
    warehouse.write("events", in_time)
    # The day's first half is built too: what is live adds to a partition that is not closed.
    noon = pa.scalar(opened + timedelta(hours=6), pa.timestamp("us", "UTC"))
    morning = pa.compute.and_(pa.compute.invert(early), pa.compute.less(events["timestamp"], noon))
    of_morning, late_of_morning = split(events.filter(morning), seed, 0.2)
    warehouse.write("events", of_morning)
    warehouse.dbt("run", open_at=f"{today} 00:00:00")
    for name in LIVE:
        assert read(warehouse.client, name, comparable=True) == read(warehouse.client, name, live=True), name
    if len(late):
        warehouse.write("events", late)
        warehouse.dbt("run", "--exclude", "path:models/live", open_at=f"{today} 00:00:00")

    warehouse.write("links", links.filter(of_today))
    warehouse.write("assignments", assignments.filter(pa.compute.invert(assigned_early)))
    warehouse.write("events", late_of_morning)
    warehouse.write(
        "events", events.filter(pa.compute.and_(pa.compute.invert(early), pa.compute.invert(morning)))
    )
    warehouse.refresh_live()
    live = {name: read(warehouse.client, name, live=True) for name in LIVE}
    stale = {name: read(warehouse.client, name, comparable=True) for name in LIVE}

    warehouse.dbt("run", "--exclude", "path:models/live", open_at=f"{today + timedelta(days=1)} 00:00:00")
    expected = Expected(raw_rows(history, [assignments], [events], pauses))
    assert expected.units != Expected(raw_rows(history, [assignments], [events])).units
    for name in LIVE:
        assert stale[name] != live[name], f"{name}: nothing happened today"
        assert live[name] == read(warehouse.client, name, comparable=True), name
        assert_mart(warehouse, expected, name)


def without_late_clocks(events: pa.Table) -> pa.Table:
    """Nothing is known of the clock of what came late.

    An event by a wrong clock that came after an exposure of today, with a time of a closed hour, is in the next build
    alone; here it would be in the warehouse before it came.
    """
    late = pa.compute.greater(events["received_delay"], 1_000_000)
    for name, unknown in (("sent_at", None), ("clock_offset", 0)):
        place = events.schema.get_field_index(name)
        known = pa.compute.if_else(late, pa.scalar(unknown, events[name].type), events[name])
        events = events.set_column(place, name, known)
    return events
