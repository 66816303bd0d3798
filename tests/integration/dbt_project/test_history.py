"""The marts of generated histories against a computation that shares no code with the models."""

from __future__ import annotations

import pytest

from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import load
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.expected_values import Mart
from tests.integration.dbt_project.marts import COLUMNS, read
from tests.integration.dbt_project.raw import raw_rows, small_plan, whole_tables

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other


def expected_mart(expected: Expected, name: str) -> Mart:
    mart: Mart = getattr(expected, name)()
    return mart


def assert_mart(warehouse: Warehouse, expected: Expected, name: str) -> None:
    found, wanted = read(warehouse.client, name), expected_mart(expected, name)
    assert wanted, f"{name}: the history has no row for it"
    assert found.keys() == wanted.keys(), name
    for place, columns in wanted.items():
        exact = 2 if name == "revenue_attribution" else len(columns)
        assert found[place][:exact] == columns[:exact], (name, place)
        for number, known in zip(found[place][exact:], columns[exact:], strict=True):
            assert number == (None if known is None else pytest.approx(known, rel=1e-9)), (name, place)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_mart_equals_an_independent_computation(warehouse: Warehouse, seed: int) -> None:
    history = History(small_plan(seed))
    load(warehouse.client, history)
    warehouse.dbt("build" if seed == 1 else "run")
    assignments, events = whole_tables(history)
    expected = Expected(raw_rows(history, [assignments], [events]))
    for name in COLUMNS:
        assert_mart(warehouse, expected, name)
