"""What a BI tool shows beside a table and a column: ClickHouse has every description."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from tests.integration.dbt_project.conftest import LIVE_DATABASE, Warehouse
from tests.integration.warehouse import rows

OURS = f"database IN (currentDatabase(), '{LIVE_DATABASE}')"
# The inner table of a refreshed view, also of one that is being refreshed, and what stands in for the topic here.
NOT_SHOWN = (
    "NOT startsWith(name, '.inner') AND NOT startsWith(name, '.tmp.inner') AND name != 'raw_events_kafka'"
)


def test_every_table_and_column_says_what_it_holds_also_after_it_was_built_again(
    warehouse: Warehouse,
) -> None:
    warehouse.dbt("run")
    assert _silent(warehouse.client) == ([], [])

    warehouse.dbt("run")
    assert _silent(warehouse.client) == ([], [])


def test_a_description_that_changed_is_told_by_a_table_that_stays(warehouse: Warehouse) -> None:
    warehouse.dbt("run")
    first = rows(warehouse.client, "SELECT comment FROM system.tables WHERE name = 'daily_metrics'")
    warehouse.client.command("ALTER TABLE daily_metrics MODIFY COMMENT 'of old', COMMENT COLUMN date ''")

    warehouse.dbt("run")

    assert rows(warehouse.client, "SELECT comment FROM system.tables WHERE name = 'daily_metrics'") == first
    assert _silent(warehouse.client) == ([], [])


def _silent(client: Client) -> tuple[list[str], list[str]]:
    """Tables, and columns, without a comment."""
    tables = rows(
        client, f"SELECT name FROM system.tables WHERE {OURS} AND {NOT_SHOWN} AND comment = '' ORDER BY name"
    )
    columns = rows(
        client,
        "SELECT concat(table, '.', name) FROM system.columns "
        f"WHERE {OURS} AND {NOT_SHOWN.replace('name', 'table')} AND comment = '' ORDER BY table, name",
    )
    return [name for (name,) in tables], [name for (name,) in columns]
