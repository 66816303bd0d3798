"""A plan from an earlier experiment: baseline, spread and traffic of a metric's control."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.cli.power_history import History, read_history
from neonblue.cli.power_plan import PlanError
from tests.integration.warehouse import Topic, envelope

# As dbt's `metric_moments`, without a day's or a version's grain of its own.
_MOMENTS = """
CREATE TABLE metric_moments
(
    experiment_id UInt32, metric_key String, metric_version UInt32, variant_key String, version UInt32,
    exposure_date Date, n UInt64, sum_value Decimal(38, 6), sum_squares Decimal(76, 12),
    finishes_at Nullable(DateTime('UTC'))
)
ENGINE = MergeTree ORDER BY (experiment_id, metric_key)
"""


def metric(key: str, **fields: object) -> dict[str, object]:
    return {"key": key, "type": "mean", "event_type": "purchase", "aggregation": "sum", **fields}


EXPERIMENT = {
    "schema_version": 1,
    "experiment_id": 7,
    "key": "checkout",
    "name": "Checkout",
    "source": "internal",
    "unit_type": "user",
    "population": "exposed",
    "status": "concluded",
    "version": 2,
    "salt": "s",
    "allocation": 10000,
    "variants": [{"key": "old", "weight": 1, "is_control": True}, {"key": "new", "weight": 1}],
    "metrics": [
        metric("revenue", version=3),
        metric("bought", type="proportion", aggregation="any"),
        metric("p90", type="quantile", quantile="0.9"),
        metric("idle"),
    ],
    "received_at": "2026-01-02T03:04:05.000000Z",
}


@pytest.fixture
def history(clickhouse: Client, topic: Topic) -> Iterator[Client]:
    topic.send(envelope("experiment", EXPERIMENT))
    clickhouse.command(_MOMENTS)
    rows = [
        (7, "revenue", 3, "old", 1, "2026-01-01", 60, 300, 4000),
        (7, "revenue", 3, "old", 2, "2026-01-04", 40, 100, 1600),
        (7, "revenue", 3, "new", 1, "2026-01-02", 100, 900, 9000),
        (7, "revenue", 1, "old", 1, "2025-06-01", 900, 1, 1),
        (7, "bought", 1, "old", 1, "2026-01-01", 200, 30, 30),
        (8, "revenue", 3, "old", 1, "2025-01-01", 900, 1, 1),
    ]
    values = ", ".join(str(row) for row in rows)
    columns = "* EXCEPT finishes_at"
    clickhouse.command(f"INSERT INTO metric_moments ({columns}) VALUES {values}")
    # Units whose window is open have not answered yet.
    clickhouse.command(
        "INSERT INTO metric_moments SELECT * REPLACE (1000000 AS n, now() + INTERVAL 1 DAY AS finishes_at) "
        "FROM metric_moments WHERE variant_key = 'old'"
    )
    yield clickhouse
    clickhouse.command("DROP TABLE metric_moments")


def test_a_mean_has_the_control_s_mean_and_spread_and_the_traffic_of_all_arms(history: Client) -> None:
    found = read_history(history, "checkout", "revenue")

    assert found.baseline == 4
    assert found.sd == pytest.approx(((5600 - 100 * 16) / 99) ** 0.5)
    assert found.units_per_day == 50


def test_a_rate_has_no_spread_of_its_own(history: Client) -> None:
    assert read_history(history, "checkout", "bought") == History(0.15, None, 200)


@pytest.mark.parametrize(
    ("experiment", "name", "reason"),
    [
        ("nothing", "revenue", "no experiment 'nothing'"),
        ("checkout", "nothing", "no metric 'nothing'"),
        ("checkout", "p90", "p90 is a quantile"),
        ("checkout", "idle", "too few units"),
    ],
)
def test_what_history_can_not_say_is_named(history: Client, experiment: str, name: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        read_history(history, experiment, name)
