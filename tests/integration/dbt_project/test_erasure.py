"""Erased people leave every mart with the next build, also when their rows went before it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.erasures.clickhouse import Warehouse as Sweep
from api.identity.identify import person_digest
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_experiments
from tests.integration.dbt_project.conftest import LIVE_DATABASE, Warehouse
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.marts import COLUMNS, read
from tests.integration.dbt_project.raw import raw_rows, small_plan, whole_tables
from tests.integration.dbt_project.test_history import assert_mart
from tests.integration.warehouse import envelope, rows

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def history() -> History:
    return History(small_plan(11, end=NOW))


def erase(warehouse: Warehouse, *names: str) -> None:
    """As the stream brings it, and the API then removes the rows."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    warehouse.topic.send(
        *(
            envelope(
                "user",
                {
                    "schema_version": 1,
                    "unit_type": "user",
                    "user_id": name,
                    "erased_at": at,
                    "received_at": at,
                },
            )
            for name in names
        )
    )
    sweep = Sweep(warehouse.client)
    arrived = sweep.arrived({person_digest("user", name): "user" for name in names})
    assert len(arrived) == len(names)
    sweep.sweep(list(arrived.values()))


def test_whose_rows_were_removed_before_the_build_is_in_no_mart(
    warehouse: Warehouse, history: History
) -> None:
    assignments, events = whole_tables(history)
    for design in history.plan.designs():
        insert_experiments(warehouse.client, design.versions())
    warehouse.write("links", history.links())
    warehouse.write("assignments", assignments)
    warehouse.write("events", events)
    warehouse.dbt("run")
    raw = raw_rows(history, [assignments], [events])
    raw.erasures.clear()
    before = Expected(raw)
    persons = {person: anonymous for anonymous, person in before.persons.items()}
    analysed = [user for _, user in before.units]
    alone = next(user for user in analysed if user not in persons)
    # Erased with its anonymous id, as the API does; of another the anonymous id alone, and the person stays.
    whole = next(user for user in analysed if user in persons)
    met = {row["user_id"] for row in raw.events if row["event_type"] == "exposure"}
    kept = next(user for user in analysed if user in persons and user in met and user != whole)
    fresh = max(before.units, key=lambda unit: before.units[unit].at)[1]
    gone = {alone, whole, persons[whole], persons[kept], fresh, persons.get(fresh, fresh)}
    named = ", ".join(f"'{name}'" for name in sorted(gone))
    days = rows(
        warehouse.client, f"SELECT DISTINCT exposure_date FROM first_exposures WHERE user_id IN ({named})"
    )
    dates = ", ".join(f"'{day}'" for (day,) in days)
    lone = f"SELECT count() FROM segment_metrics WHERE n = 1 AND exposure_date IN ({dates})"
    assert rows(warehouse.client, lone) != [(0,)]

    erase(warehouse, *gone)

    assert rows(warehouse.client, lone) == [(0,)], "a segment of one may be an erased person's attribute"
    warehouse.refresh_live()
    for table in ("entered_units", "fresh_exposures", "open_totals", "open_journeys", "changed_units"):
        left = f"SELECT count() FROM {LIVE_DATABASE}.{table} WHERE user_id IN ({named})"
        assert rows(warehouse.client, left) == [(0,)], table
    for table in ("events_processed", "first_exposures", "unit_metric_values", "user_journeys"):
        left = f"SELECT count() FROM {table} WHERE user_id IN ({named})"
        assert rows(warehouse.client, left) == [(0,)], table
    warehouse.dbt("run", "--exclude", "path:models/live")
    raw.erasures = [{"user_id": name, "erased_at": datetime.now(UTC)} for name in gone]
    after = Expected(raw)
    assert kept in {user for _, user in after.units}
    for name in COLUMNS:
        assert_mart(warehouse, after, name)
    found = {name: read(warehouse.client, name) for name in COLUMNS}
    warehouse.dbt("run", "--exclude", "path:models/live", "--full-refresh")
    assert found == {name: read(warehouse.client, name) for name in COLUMNS}
