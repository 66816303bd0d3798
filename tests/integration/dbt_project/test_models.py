"""The models on histories worked out by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from neonblue.results.warehouse import Mart
from orchestration.project import target_path
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.warehouse import envelope, event, rows

START = "2026-01-28T22:00:00.000000Z"


def experiment(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": number,
        "key": f"experiment-{number}",
        "source": "internal",
        "unit_type": "user",
        "population": "exposed",
        "status": "running",
        "version": 1,
        "salt": "s",
        "allocation": 10000,
        "variants": [
            {"key": key, "weight": 1, "is_control": key == "control"} for key in ("control", "treatment")
        ],
        "metrics": [
            {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
            {
                "key": "revenue",
                "type": "mean",
                "event_type": "purchase",
                "aggregation": "sum",
                "cap": "30.5",
            },
        ],
        "started_at": START,
        "received_at": START,
        **fields,
    }


def test_a_tiny_history_gives_the_numbers_worked_out_by_hand(warehouse: Warehouse) -> None:
    def assignment(user: str, variant: str) -> dict[str, object]:
        return {
            "schema_version": 1,
            "experiment_id": 1,
            "unit_type": "user",
            "user_id": user,
            "variant_key": variant,
            "version": 1,
            "assigned_at": START,
            "attributes": None,
            "received_at": START,
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
        envelope("experiment", experiment(1)),
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


@pytest.mark.timeout(900)  # two builds
def test_events_by_a_wrong_clock_are_counted_although_they_lie_before_the_exposure(
    warehouse: Warehouse,
) -> None:
    def at(
        user: str,
        day: int,
        hour: int,
        kind: str,
        *,
        received: tuple[int, int],
        sent: int | None = None,
        moved: int = 0,
    ) -> dict[str, object]:
        return event(
            user_id=user,
            timestamp=f"2026-02-{day:02}T{hour:02}:00:00.000000Z",
            received_at=f"2026-02-{received[0]:02}T{received[1]:02}:00:00.000000Z",
            sent_at=None if sent is None else f"2026-02-{sent:02}T{hour:02}:00:00.000000Z",
            clock_offset=moved * 3_600_000_000,
            event_type=kind,
            value=None,
            experiment_id=None if kind == "purchase" else 1,
            properties=None,
        )

    def days() -> list[tuple[int, ...]]:
        columns = "events, exposures, conversions, corrected_events, events_from_afar, early_events, first_exposures"
        query = "SELECT toDayOfMonth(date), {} FROM {}daily_metrics ORDER BY date"
        told, live = (rows(warehouse.client, query.format(columns, prefix)) for prefix in ("", "live_"))
        assert told == live
        return [tuple(row) for row in told]

    assigned = {
        "schema_version": 1,
        "experiment_id": 1,
        "unit_type": "user",
        "variant_key": "control",
        "version": 1,
        "assigned_at": START,
        "attributes": None,
        "received_at": START,
    }
    warehouse.topic.send(
        envelope("experiment", experiment(1)),
        envelope("assignment_batch", [assigned | {"user_id": user} for user in ("ann", "bob")]),
        envelope(
            "event_batch",
            [
                at("ann", 10, 10, "exposure", received=(10, 10)),
                at("ann", 10, 11, "purchase", received=(10, 11)),
                at("ann", 7, 12, "purchase", received=(10, 12), sent=7),  # three days behind
                at("ann", 10, 13, "purchase", received=(10, 13), sent=7),  # so too, and counted
                at("ann", 6, 9, "purchase", received=(9, 9), sent=6),  # it came before the exposure
                at("ann", 8, 12, "purchase", received=(10, 12)),  # late, and its clock is right
                at("ann", 10, 8, "purchase", received=(10, 12), sent=10, moved=-4),  # its zone is not UTC
                at("ann", 10, 14, "purchase", received=(10, 16), sent=10, moved=-2),  # so too, and counted
                at(
                    "ann", 9, 8, "purchase", received=(9, 12), sent=9, moved=-4
                ),  # it came before the exposure
                at("bob", 5, 12, "purchase", received=(9, 12), sent=5),
                at("bob", 4, 8, "purchase", received=(9, 13), sent=4, moved=-4),
            ],
        ),
    )
    warehouse.dbt("run")
    assert days() == [(7, 0, 0, 0, 0, 1, 1, 0), (10, 3, 1, 3, 2, 1, 1, 1)]

    # The exposure comes in a later build than the event that came after it.
    warehouse.topic.send(envelope("event_batch", [at("bob", 9, 11, "exposure", received=(12, 11))]))
    warehouse.dbt("build", "--exclude", "path:models/live")
    assert days() == [
        (4, 0, 0, 0, 1, 0, 1, 0),
        (5, 0, 0, 0, 0, 1, 1, 0),
        (7, 0, 0, 0, 0, 1, 1, 0),
        (9, 0, 1, 0, 0, 0, 0, 1),
        (10, 3, 1, 3, 2, 1, 1, 1),
    ]


def test_a_warehouse_without_data_builds_and_is_documented(warehouse: Warehouse) -> None:
    warehouse.dbt("run")
    assert rows(warehouse.client, "SELECT count() FROM metric_moments") == [(0,)]
    assert rows(warehouse.client, "SELECT count() FROM live_experiment_summary") == [(0,)]

    warehouse.dbt("docs", "generate")
    target = target_path(warehouse.settings)
    manifest, catalog = (
        json.loads((target / f"{name}.json").read_text()) for name in ("manifest", "catalog")
    )
    assert catalog["errors"] is None
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    assert models.keys() == catalog["nodes"].keys()
    for name, model in models.items():
        assert model["description"], name
        described = {column for column, one in model["columns"].items() if one["description"]}
        assert described == catalog["nodes"][name]["columns"].keys(), name
    assert catalog["sources"].keys() == manifest["sources"].keys()
    read_by_results = manifest["exposures"]["exposure.neonblue.results_api"]["depends_on"]["nodes"]
    assert {name.split(".")[-1].removeprefix("live_") for name in read_by_results} == set(Mart)
