"""Models as the version before built them: a sentence in place of the numbers until a build has made them anew."""

from __future__ import annotations

import pytest

from tests.integration.results.conftest import House
from tests.integration.results.test_states import assert_nothing_is_said, imported

pytestmark = pytest.mark.timeout(600)

LACKING = ("unit_metric_values", "metric_moments", "segment_metrics")


def drop_column(house: House, table: str) -> None:
    house.clickhouse.command(f"ALTER TABLE {table} DROP COLUMN just_before")


def test_results_of_tables_without_a_new_column_are_not_built_until_a_build_adds_it(house: House) -> None:
    house.create("upgraded")
    house.api.post("/v1/experiments/upgraded/start").raise_for_status()
    imported(house, "upgraded", range(400))
    house.build()
    before = house.get("upgraded/results")
    assert before["status"] == "ok"
    for table in LACKING:
        drop_column(house, table)

    assert_nothing_is_said(house, "upgraded", "not_built")
    assert "no build of this version has run yet" in house.get("upgraded/results")["reason"]

    house.build()
    after = house.get("upgraded/results")
    assert (after["status"], after["decision"], after["items"]) == ("ok", before["decision"], before["items"])


def test_one_table_of_the_version_before_takes_its_own_part_alone(house: House) -> None:
    house.create("in-part")
    house.api.post("/v1/experiments/in-part/start").raise_for_status()
    imported(house, "in-part", range(400))
    house.build()
    drop_column(house, "segment_metrics")

    found = house.get("in-part/segments")
    assert (found["status"], found["items"]) == ("not_built", [])
    assert "no build of this version has run yet" in found["reason"]
    assert house.get("in-part/results")["status"] == "ok"

    house.build()
    assert house.get("in-part/segments")["status"] == "ok"
