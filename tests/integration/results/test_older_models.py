"""Models as the version before built them: a sentence in place of the numbers until a build has made them anew."""

from __future__ import annotations

import pytest

from neonblue.results.look import look
from neonblue.results.warehouse import Warehouse
from tests.integration.results.conftest import House
from tests.integration.results.test_states import assert_nothing_is_said, imported
from tests.integration.warehouse import rows

pytestmark = pytest.mark.timeout(600)


def of_the_version_before(house: House, *models: str) -> None:
    """Drop the column that this version added from the models' tables and from their live views."""
    wanted = tuple(f"live_{model}" for model in models)
    views = rows(
        house.clickhouse,
        "SELECT name, as_select FROM system.tables WHERE database = currentDatabase() "
        f"AND has({list(wanted)}, name)",
    )
    for name, query in views:
        house.clickhouse.command(
            f"CREATE OR REPLACE VIEW {name} AS SELECT * EXCEPT just_before FROM ({query})"
        )
    for model in models:
        house.clickhouse.command(f"ALTER TABLE {model} DROP COLUMN just_before")


def test_results_of_tables_without_a_new_column_are_not_built_until_a_build_adds_it(house: House) -> None:
    house.create("upgraded")
    house.api.post("/v1/experiments/upgraded/start").raise_for_status()
    imported(house, "upgraded", range(400))
    house.build()
    of_the_version_before(house, "unit_metric_values", "metric_moments", "segment_metrics")

    assert_nothing_is_said(house, "upgraded", "not_built")
    assert "no build of this version has run yet" in house.get("upgraded/results")["reason"]

    house.build()
    assert look(Warehouse.of(house.clickhouse), "upgraded").answer.status == "ok"


def test_one_table_of_the_version_before_takes_its_own_part_alone(house: House) -> None:
    house.create("in-part")
    house.api.post("/v1/experiments/in-part/start").raise_for_status()
    imported(house, "in-part", range(400))
    house.build()
    of_the_version_before(house, "segment_metrics")

    found = house.get("in-part/segments")
    assert (found["status"], found["items"]) == ("not_built", [])
    assert "no build of this version has run yet" in found["reason"]
    assert house.get("in-part/results")["status"] == "ok"

    house.build()
    assert house.get("in-part/segments")["status"] == "ok"
