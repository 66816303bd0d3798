"""The models against a computation that shares no code with them."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest

from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.history import START, compute, experiment, generate, text
from tests.integration.warehouse import envelope, event, rows


def _send(warehouse: Warehouse, seed: int) -> None:
    history = generate(seed)
    warehouse.topic.send(
        *(envelope("experiment", row) for row in history.experiments),
        envelope("assignment_batch", history.assignments),
        *(envelope("user", row) for row in history.erasures),
        # A tenth of the events travels twice.
        envelope("event_batch", history.events),
        envelope("event_batch", history.events[::10]),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_every_mart_equals_an_independent_computation(warehouse: Warehouse, seed: int) -> None:
    _send(warehouse, seed)
    warehouse.dbt("build")
    expected = compute(generate(seed))
    client = warehouse.client

    exposures = {
        (number, user): (variant, version, at.replace(tzinfo=UTC))
        for number, user, variant, version, at in rows(
            client,
            "SELECT experiment_id, user_id, variant_key, version, first_exposed_at FROM first_exposures",
        )
    }
    assert exposures == expected.first_exposures

    values = {
        (number, user, key): value
        for number, user, key, value in rows(
            client, "SELECT experiment_id, user_id, metric_key, value_decimal FROM unit_metric_values"
        )
    }
    assert values == expected.values

    moments = {
        (number, variant, key, version, day): (n, total, squares)
        for number, variant, key, version, day, n, total, squares in rows(
            client,
            "SELECT experiment_id, variant_key, metric_key, version, toString(exposure_date), "
            "n, sum_value, sum_squares FROM metric_moments",
        )
    }
    assert moments == expected.moments

    daily = {
        (number, variant, day): (events, exposed, conversions, value, first)
        for number, variant, day, events, exposed, conversions, value, first in rows(
            client,
            "SELECT experiment_id, variant_key, toString(date), events, exposures, "
            "conversions, value, first_exposures FROM daily_metrics",
        )
    }
    assert daily == expected.daily


def test_a_tiny_history_gives_the_numbers_worked_out_by_hand(warehouse: Warehouse) -> None:
    def assignment(user: str, variant: str) -> dict[str, object]:
        return {
            "schema_version": 1,
            "experiment_id": 1,
            "unit_type": "user",
            "user_id": user,
            "variant_key": variant,
            "version": 1,
            "assigned_at": text(START),
            "attributes": None,
            "received_at": text(START),
        }

    def at(
        user: str, hour: int, kind: str, value: str | None = None, number: int | None = 1
    ) -> dict[str, object]:
        return event(
            user_id=user,
            timestamp=f"2026-02-01T{hour:02}:00:00.000000Z",
            received_at="2026-02-02T00:00:00.000000Z",
            event_type=kind,
            value=value,
            experiment_id=number,
            properties=None,
        )

    warehouse.topic.send(
        envelope("experiment", experiment(1, "exposed")),
        envelope(
            "assignment_batch",
            [
                assignment("ann", "control"),
                assignment("bob", "treatment"),
                assignment("cyd", "treatment"),
                assignment("dan", "control"),
                assignment("dan", "treatment"),
                assignment("eve", "control"),
            ],
        ),
        envelope(
            "event_batch",
            [
                at("ann", 10, "exposure"),
                at("ann", 9, "purchase", "100"),  # before the exposure: not counted
                at("ann", 11, "purchase", "10.10"),
                at("ann", 12, "purchase", "20.20", number=None),  # names none: counted; 30.30 < the cap
                at("bob", 10, "exposure"),
                at("bob", 10, "purchase", "40"),  # in the same instant: counted; capped at 30.5
                at("bob", 11, "purchase", "5", number=2),  # another experiment's
                at("cyd", 10, "exposure"),
                at("dan", 10, "exposure"),  # in two arms: excluded
                at("dan", 11, "purchase", "7"),
                at("eve", 11, "purchase", "7"),  # never exposed
                at("fay", 10, "exposure"),  # never assigned
            ],
        ),
    )
    warehouse.dbt("build")
    assert sorted(
        rows(
            warehouse.client,
            "SELECT variant_key, units, events, exposures, conversions, converted_units, "
            "conversion_rate, value FROM experiment_summary",
        )
    ) == [
        ("control", 1, 2, 1, 2, 1, 1.0, Decimal("30.3")),
        ("treatment", 2, 1, 2, 1, 1, 0.5, Decimal(40)),
    ]
    assert sorted(
        rows(
            warehouse.client,
            "SELECT variant_key, metric_key, n, sum_value, sum_squares FROM metric_moments "
            "WHERE metric_key IN ('bought', 'revenue')",
        )
    ) == [
        ("control", "bought", 1, Decimal(1), Decimal(1)),
        ("control", "revenue", 1, Decimal("30.3"), Decimal("918.09")),
        ("treatment", "bought", 2, Decimal(1), Decimal(1)),
        ("treatment", "revenue", 2, Decimal("30.5"), Decimal("930.25")),
    ]
    assert rows(
        warehouse.client,
        "SELECT assigned_units, units_in_several_variants, analysed_units, "
        "exposed_without_assignment FROM exposure_health",
    ) == [(5, 1, 3, 1)]


def test_building_twice_changes_nothing(warehouse: Warehouse) -> None:
    _send(warehouse, 3)
    query = "SELECT * FROM metric_moments ORDER BY ALL"
    warehouse.dbt("build")
    first = rows(warehouse.client, query)
    _send(warehouse, 3)
    warehouse.dbt("build")
    assert first
    assert rows(warehouse.client, query) == first


def test_a_warehouse_without_data_builds(warehouse: Warehouse) -> None:
    warehouse.dbt("build")
    assert rows(warehouse.client, "SELECT count() FROM metric_moments") == [(0,)]
