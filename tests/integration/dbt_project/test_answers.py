"""Who has answered, on histories worked out by hand: the young, the silent, and those whose answer is 0."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from neonblue.analysis.rows import ExperimentRows
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.sums import read_rows
from neonblue.results.warehouse import Warehouse as Reader
from neonblue.simulation.history.plan import text
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.test_models import experiment
from tests.integration.warehouse import envelope, event

CASES = Path(__file__).parents[4] / "shared" / "bug-cases"
NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ARMS = ("control", "treatment")
RATING = {"key": "stars", "type": "mean", "event_type": "rating", "aggregation": "sum", "missing": "exclude"}


def assignment(user: str, variant: str, at: datetime) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": 1,
        "unit_type": "user",
        "user_id": user,
        "variant_key": variant,
        "version": 1,
        "assigned_at": text(at),
        "attributes": None,
        "received_at": text(at),
    }


def happened(user: str, kind: str, at: datetime, value: str | None = None) -> dict[str, Any]:
    return event(
        user_id=user, event_type=kind, timestamp=text(at), received_at=text(at), value=value, properties=None
    )


def send(
    warehouse: Warehouse,
    configuration: dict[str, Any],
    entered: Iterable[tuple[str, str, datetime]],
    events: Iterable[dict[str, Any]],
) -> None:
    """The experiment, who was assigned to it and when, and what they did."""
    warehouse.topic.send(
        envelope("experiment", configuration),
        envelope("assignment_batch", [assignment(*unit) for unit in entered]),
        envelope("event_batch", list(events)),
    )


def rows_of(warehouse: Warehouse, configuration: dict[str, Any], *, live: bool) -> ExperimentRows:
    message = msgspec.convert(configuration, ExperimentMessage)
    return read_rows(Reader.of(warehouse.client, live=live), [{1: message}], datetime.now(UTC))[1]


def young_and_old() -> list[tuple[str, str, datetime]]:
    """Of each arm a hundred units of 20 days ago and a hundred of two hours ago, in turns."""
    return [
        (f"{age}-{number}", ARMS[number % 2], entered)
        for age, entered in (("old", NOW - 20 * DAY), ("young", NOW - 2 * HOUR))
        for number in range(200)
    ]


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside this checkout")
@pytest.mark.parametrize("live", [False, True])
def test_units_too_young_to_have_come_back_are_told_apart(warehouse: Warehouse, live: bool) -> None:
    case = json.loads((CASES / "retention-of-young-units.json").read_text())
    configuration = experiment(1, population="assigned", **case["experiment"])
    came_back = [user for user, _, _ in young_and_old() if user.startswith("old") and int(user[4:]) % 4 < 2]
    back_at = NOW - 20 * DAY + timedelta(days=7.5)
    send(warehouse, configuration, young_and_old(), [happened(user, "visit", back_at) for user in came_back])
    warehouse.dbt("run", *(() if live else ("--exclude", "path:models/live")))

    rows = rows_of(warehouse, configuration, live=live).moments

    finished = {
        row.variant_key: (row.n, row.sum_value) for row in rows if row.finishes_at and row.finishes_at <= NOW
    }
    unfinished = {
        row.variant_key: (row.n, row.sum_value) for row in rows if row.finishes_at and row.finishes_at > NOW
    }
    assert finished == dict.fromkeys(ARMS, (100, Decimal(50)))
    assert unfinished == dict.fromkeys(ARMS, (100, Decimal(0)))


def test_who_did_not_answer_has_no_value_and_who_answered_0_has_one(warehouse: Warehouse) -> None:
    configuration = experiment(1, population="assigned", metrics=[RATING])
    entered = [(name, "control", NOW - 3 * DAY) for name in ("ann", "bob", "cyd")]
    send(
        warehouse,
        configuration,
        entered,
        [
            happened("ann", "rating", NOW - 2 * DAY, "4"),
            happened("bob", "rating", NOW - 2 * DAY, "0"),
            happened(
                "cyd", "rating", NOW - 4 * DAY, "5"
            ),  # before it entered: a covariate of a value that is none
        ],
    )
    warehouse.dbt("build")
    (built,) = rows_of(warehouse, configuration, live=False).moments
    assert (built.n, built.missing, built.sum_value, built.covariate) == (2, 1, Decimal(4), None)

    # In an open hour, which that of this module's beginning may no more be, one who was silent answers 0.
    warehouse.topic.send(envelope("event", happened("cyd", "rating", datetime.now(UTC), "0")))
    warehouse.refresh_live()
    (live,) = rows_of(warehouse, configuration, live=True).moments
    assert (live.n, live.missing, live.sum_value) == (3, 0, Decimal(4))
    assert live.covariate is not None
    assert live.covariate.sum == Decimal(5)

    warehouse.dbt("run")
    assert rows_of(warehouse, configuration, live=False).moments == [live]


def test_a_metric_of_an_older_snapshot_counts_the_silent_as_zero(warehouse: Warehouse) -> None:
    rating = {name: value for name, value in RATING.items() if name != "missing"}
    configuration = experiment(1, population="assigned", metrics=[rating])
    send(
        warehouse,
        configuration,
        [(name, "control", NOW - 3 * DAY) for name in ("ann", "bob")],
        [happened("ann", "rating", NOW - 2 * DAY, "4")],
    )
    warehouse.dbt("run", "--select", "+metric_moments")

    (row,) = rows_of(warehouse, configuration, live=False).moments

    assert (row.n, row.missing, row.sum_value) == (2, 0, Decimal(4))
