"""Partitions rebuilt in any order, twice, with late rows between and a replay: the same marts, and no needless work."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_erasures, insert_experiments
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.marts import COLUMNS, read
from tests.integration.dbt_project.raw import (
    Pause,
    paused,
    raw_rows,
    sent_while_paused,
    small_plan,
    split,
    whole_tables,
)
from tests.integration.dbt_project.test_history import assert_mart
from tests.integration.warehouse import rows

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other

# What an older version of the models may have left.
OF_ANOTHER_SHAPE = {
    "unit_metric_values": ("DROP COLUMN is_missing", "DROP COLUMN window_seconds"),
    "metric_moments": ("DROP COLUMN finishes_at", "DROP COLUMN missing"),
    "segment_metrics": ("DROP COLUMN missing", "MODIFY COLUMN n UInt32"),
    # As it was before early events were counted: none was in the two other columns.
    "hourly_metrics": (
        "UPDATE corrected_events = 0, events_from_afar = 0 WHERE 1 SETTINGS mutations_sync = 2",
        "DROP COLUMN early_events",
    ),
    "daily_metrics": (
        "UPDATE corrected_events = 0, events_from_afar = 0 WHERE 1 SETTINGS mutations_sync = 2",
        "DROP COLUMN early_events",
    ),
}
EVENT_AXIS = ("hourly_metrics", "daily_metrics")
EXPOSURE_AXIS = (
    "unit_metric_values",
    "user_journeys",
    "funnels",
    "cohort_retention",
)
Partitions = dict[tuple[str, date], frozenset[str]]


def partitions(warehouse: Warehouse) -> Partitions:
    """The names of each partition's parts: a partition that was replaced has others."""
    parts = rows(
        warehouse.client,
        "SELECT table, partition, groupArray(name) FROM system.parts "
        f"WHERE active AND table IN {(*EVENT_AXIS, *EXPOSURE_AXIS)} GROUP BY table, partition",
    )
    return {(table, date.fromisoformat(day)): frozenset(names) for table, day, names in parts}


def assert_all_marts(warehouse: Warehouse, expected: Expected) -> None:
    for name in COLUMNS:
        assert_mart(warehouse, expected, name)


@pytest.mark.parametrize("seed", [4])
def test_days_built_in_random_order_twice_with_late_rows_and_a_replay_give_the_same_marts(
    warehouse: Warehouse, seed: int
) -> None:
    history, order = History(small_plan(seed)), random.Random(seed)
    assignments, events = whole_tables(history)
    # Of the pauses it is heard while days are built anew.
    began = (datetime(2026, 3, day, 7, tzinfo=UTC) for day in (4, 6))
    pauses = [(1, at, at + timedelta(hours=5)) for at in began]
    events = pa.concat_tables([events, sent_while_paused(events, *pauses)])
    now_assignments, later_assignments = split(assignments, seed, 0.05)
    now_events, later_events = split(events, seed, 0.1)
    now_links, later_links = split(history.links(), seed, 0.6)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("assignments", now_assignments)
    warehouse.write("events", now_events)
    warehouse.write("links", now_links)
    warehouse.dbt("run")
    design = history.plan.designs()[0]
    expected = Expected(raw_rows(history, [assignments], [events], pauses))
    assert (
        expected.first_exposures() != Expected(raw_rows(history, [assignments], [events])).first_exposures()
    )
    days = [f"2026-03-{day:02}" for day in range(1, 10)] + ["2026-02-28"]

    for turn in range(2):
        order.shuffle(days)
        for place in range(0, len(days), 4):
            warehouse.dbt(
                "run", "--select", "config.materialized:daily_partitions", days=days[place : place + 4]
            )
            if turn == 0 and place == 0:
                warehouse.write("events", later_events)
            if turn == 0 and place == 4:
                warehouse.write("assignments", later_assignments)
                insert_erasures(warehouse.client, history)
                warehouse.write("links", later_links)
                insert_experiments(warehouse.client, paused(design.versions(), *pauses))
            if turn == 1 and place == 0:  # the topic from its beginning
                warehouse.write("assignments", assignments)
                warehouse.write("events", events)
        warehouse.dbt("run", "--exclude", "path:models/live")
        assert_all_marts(warehouse, expected)


def test_late_rows_rebuild_their_day_their_units_days_and_no_other(warehouse: Warehouse) -> None:
    history = History(small_plan(6))
    assignments, events = whole_tables(history)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("assignments", assignments)
    # A unit of one experiment, whose first exposure and one later event come late.
    analysed = as_sent(history, assignments, events)
    analysed_once = defaultdict(list)
    for (number, user), unit in analysed.units.items():
        analysed_once[user].append((number, unit))
    user, unit = next(
        (user, units[0][1])
        for user, units in analysed_once.items()
        if len(units) == 1
        and len(list(analysed.attributed((units[0][0], user)))) > 3
        and units[0][1].at.date() < date(2026, 3, 6)
    )
    late_event = next(
        event
        for event in analysed.events[user]
        if event["event_type"] != "exposure"
        and event["timestamp"].date() > unit.at.date()
        and event["experiment_id"] == 0
    )
    is_late = pa.array([str(row) == late_event["event_id"] for row in events["event_id"].to_pylist()])
    warehouse.write("events", events.filter(pa.compute.invert(is_late)))
    warehouse.dbt("run", "--exclude", "path:models/live")
    before = partitions(warehouse)
    assert not rebuilt(warehouse, before), "a build without news rebuilds nothing"

    warehouse.write("events", events.filter(is_late))
    assert rebuilt(warehouse, before) == {
        *((table, late_event["timestamp"].date()) for table in EVENT_AXIS),
        *((table, unit.at.date()) for table in EXPOSURE_AXIS),
    }
    assert_all_marts(warehouse, analysed)


def as_sent(
    history: History, assignments: pa.Table, events: pa.Table, *links: pa.Table, pauses: Iterable[Pause] = ()
) -> Expected:
    """Nobody erased, and nobody linked but by these."""
    raw = raw_rows(history, [assignments], [events], pauses)
    raw.erasures.clear()
    raw.links = [row for table in links for row in table.to_pylist()]
    return Expected(raw)


def test_a_late_link_rebuilds_the_days_of_its_two_ids_and_no_other(warehouse: Warehouse) -> None:
    history = History(small_plan(5))
    assignments, events = whole_tables(history)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("assignments", assignments)
    warehouse.write("events", events)
    warehouse.dbt("run", "--exclude", "path:models/live")
    before = partitions(warehouse)
    apart = as_sent(history, assignments, events)
    linked = as_sent(history, assignments, events, history.links())
    analysed = {user for _, user in apart.units}
    # One who met a variant under either id, and stayed in the analysis with what both did.
    is_one = pa.array(
        [
            row["anonymous_id"] in analysed
            and row["user_id"] in analysed
            and row["user_id"] in {user for _, user in linked.units}
            for row in history.links().to_pylist()
        ]
    )
    one = history.links().filter(is_one).slice(0, 1)
    ids = {one["anonymous_id"][0].as_py(), one["user_id"][0].as_py()}
    event_days = {event["timestamp"].date() for user in ids for event in apart.events[user]}
    first_days = {
        unit.at.date()
        for moment in (apart, linked)
        for (_, user), unit in moment.units.items()
        if user in ids
    }
    assert len(event_days | first_days) < len({day for _, day in before}), "some days are no one's of theirs"

    warehouse.write("links", one)
    days_of = defaultdict(set)
    for table, day in rebuilt(warehouse, before):
        days_of[table].add(day)
    for table in EXPOSURE_AXIS:
        assert days_of.pop(table) == first_days, table
    for table in EVENT_AXIS:
        assert event_days <= days_of.pop(table) <= event_days | first_days, table
    assert_all_marts(warehouse, as_sent(history, assignments, events, one))

    warehouse.write("links", history.links())
    warehouse.dbt("run", "--exclude", "path:models/live")
    assert_all_marts(warehouse, linked)
    conflicts = [
        unit for unit, arms in linked.assigned.items() if len(arms) > len(apart.assigned.get(unit, ()))
    ]
    assert any(len(linked.assigned[unit]) > 1 for unit in conflicts), "nobody met two variants under two ids"


def rebuilt(warehouse: Warehouse, before: Partitions) -> set[tuple[str, date]]:
    """Which partitions a build replaces."""
    warehouse.dbt("run", "--exclude", "path:models/live")
    after = partitions(warehouse)
    return {place for place in {*before, *after} if before.get(place) != after.get(place)}


def test_tables_of_other_columns_are_built_whole_and_the_live_views_follow(warehouse: Warehouse) -> None:
    history = History(small_plan(8))
    assignments, events = whole_tables(history)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("assignments", assignments)
    warehouse.write("events", events)
    warehouse.dbt("run")
    for table, columns in OF_ANOTHER_SHAPE.items():
        for column in columns:
            warehouse.client.command(f"ALTER TABLE {table} {column}")

    # Also where a partitioned run asks for one day.
    warehouse.dbt("run", days=["2026-03-05"])

    expected = as_sent(history, assignments, events)
    assert_all_marts(warehouse, expected)
    assert read(warehouse.client, "metric_moments", live=True) == expected.metric_moments()
    before = partitions(warehouse)
    assert not rebuilt(warehouse, before)

    # A version that asked for no pauses had heard of one long ago.
    pause = (1, datetime(2026, 3, 4, 7, tzinfo=UTC), datetime(2026, 3, 4, 17, tzinfo=UTC))
    insert_experiments(warehouse.client, paused(history.plan.designs()[0].versions(), pause))
    warehouse.client.command(
        "ALTER TABLE experiments UPDATE ingested_at = toDateTime64('2026-03-01 00:00:00', 3, 'UTC') WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )
    warehouse.client.command("ALTER TABLE touched_days DROP COLUMN interruptions")
    assert rebuilt(warehouse, before)
    cut = as_sent(history, assignments, events, pauses=[pause])
    assert_all_marts(warehouse, cut)
    assert cut.first_exposures() != expected.first_exposures()


def test_a_day_that_becomes_empty_is_dropped(warehouse: Warehouse) -> None:
    history = History(small_plan(7))
    design = history.plan.designs()[0]
    insert_experiments(warehouse.client, design.versions())
    assignments, events = whole_tables(history)
    one_user = rows_of_one_unit(history, assignments, events)
    warehouse.write("assignments", one_user[0])
    warehouse.write("events", one_user[1])
    warehouse.dbt("run", "--exclude", "path:models/live")
    assert rows(warehouse.client, "SELECT count() > 0 FROM metric_moments") == [(True,)]
    user = one_user[0]["user_id"][0].as_py()
    warehouse.client.command(
        """INSERT INTO erased_users (unit_type, person, person_key, erased_at, received_at, ingested_at)
        SELECT 'user', SHA256(concat('user', '\\0', {user:String})), cityHash64('user', {user:String}),
               now64(6), now64(6), now64(3)""",
        parameters={"user": user},
    )
    warehouse.dbt("run", "--exclude", "path:models/live")
    assert not partitions(warehouse)
    assert rows(warehouse.client, "SELECT count() FROM metric_moments") == [(0,)]


def test_a_day_whose_last_build_read_before_another_one_is_built_again(warehouse: Warehouse) -> None:
    history = History(small_plan(7))
    insert_experiments(warehouse.client, history.plan.designs()[0].versions())
    one_user = rows_of_one_unit(history, *whole_tables(history))
    warehouse.write("assignments", one_user[0])
    warehouse.write("events", one_user[1])
    warehouse.dbt("run", "--exclude", "path:models/live")
    before = partitions(warehouse)
    table, day = min(before)
    warehouse.client.command(
        "INSERT INTO partition_builds VALUES ({table:String}, {day:Date}, toDateTime64(1, 3), now64(3) + 1)",
        parameters={"table": table, "day": day},
    )

    assert rebuilt(warehouse, before) == {(table, day)}


def rows_of_one_unit(history: History, assignments: pa.Table, events: pa.Table) -> tuple[pa.Table, pa.Table]:
    expected = as_sent(history, assignments, events)
    user = next(user for number, user in expected.units if number == 1)
    pick = pa.compute.equal
    mine = assignments.filter(
        pa.compute.and_(pick(assignments["user_id"], user), pick(assignments["experiment_id"], 1))
    )
    return mine, events.filter(pick(events["user_id"], user))
