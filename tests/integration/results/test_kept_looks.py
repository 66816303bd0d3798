"""Looks that are kept in PostgreSQL: a page spends nothing, and a warehouse that is made anew changes no verdict."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
import pytest

from neonblue.analysis import ask
from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookMessage
from neonblue.statistics import Action, Estimate, MetricResult
from orchestration.defs.experiments.looking import taken
from orchestration.defs.significance.repository import ExperimentData, read_experiments, read_looks
from orchestration.resources import Api
from tests.integration.api.conftest import TOKEN
from tests.integration.dbt_project.conftest import LIVE_DATABASE
from tests.integration.results.conftest import House
from tests.integration.warehouse import envelope, rows

KEY = "planned"
PER_DAY = 120
DAYS = 6
RATES = {"control": 0.10, "treatment": 0.24}
ARMS = [{"key": "control", "weight": 1, "is_control": True}, {"key": "treatment", "weight": 1}]
METRICS = [
    {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
    {
        "key": "back", "type": "retention", "role": "secondary", "event_type": "visit", "aggregation": "any",
        "window_start_seconds": 86_400, "window_seconds": 172_800,
    },
]  # fmt: skip


def midnight(days_ago: int) -> datetime:
    return datetime.combine(datetime.now(UTC).date() - timedelta(days=days_ago), time(), UTC)


def messages(number: int) -> list[bytes]:
    """Units of six closed days: each is assigned, exposed, and some buy at once and come back the day after."""
    found, drawn = [], random.Random(7)
    for day in range(DAYS, 0, -1):
        for arm, rate in RATES.items():
            for unit in range(PER_DAY):
                user = f"{arm}-{day}-{unit}"
                at = midnight(day) + timedelta(seconds=drawn.randrange(1, 80_000))
                given = {"user_id": user, "unit_type": "user", "experiment_id": number, "variant_key": arm}
                found.append(
                    envelope(
                        "assignment",
                        given
                        | {"schema_version": 1, "version": 2, "attributes": None}
                        | {name: format_instant(at) for name in ("assigned_at", "received_at")},
                    )
                )
                happened = [("exposure", timedelta())]
                if drawn.random() < rate:
                    happened.append(("purchase", timedelta(minutes=5)))
                if drawn.random() < 0.4:
                    happened.append(("visit", timedelta(hours=30)))
                for kind, later in happened:
                    found.append(_event(given, kind, at + later, drawn))
    return found


def _event(given: dict[str, Any], kind: str, at: datetime, drawn: random.Random) -> bytes:
    return envelope(
        "event",
        given
        | {
            "schema_version": 1,
            "id": f"0198f2d0-2222-7000-8000-{drawn.getrandbits(48):012x}",
            "event_type": kind,
            "timestamp": format_instant(at),
            "session_id": None,
            "value": None,
            "properties": None,
            "received_at": format_instant(at + timedelta(seconds=1)),
        },
    )


@pytest.fixture(scope="module")
def sent(house: House) -> list[bytes]:
    """The experiment with everything that was sent of it, built."""
    house.create(KEY, source="internal", variants=ARMS, metrics=METRICS, planned_units=1200)
    house.api.post(f"/v1/experiments/{KEY}/start").raise_for_status()
    house.carry()
    sent = messages(house.numbers[KEY])
    house.topic.send(*sent)
    house.build()
    return sent


@pytest.fixture
def api(house: House, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setenv("NEONBLUE_API_PORT", str(house.api.base_url.port))
    monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)
    return Api()


def kept(house: House) -> list[LookMessage]:
    with psycopg.connect(house.dsn) as connection:
        return read_looks(connection, [house.numbers[KEY]]).get(house.numbers[KEY], [])


def decide(
    house: House, api: Api, data: ExperimentData, days_ago: int
) -> tuple[Action, tuple[MetricResult, ...]]:
    """The decision run in the first hour of that day."""
    run = replace(data, counted_to=midnight(days_ago) + timedelta(minutes=20))
    _, report = taken(api, run, kept(house))
    return report.decision.action, report.results


def verdicts(results: Sequence[MetricResult]) -> list[tuple[object, ...]]:
    found = []
    for result in results:
        test = result.comparison.absolute
        interval = (test.interval.lower, test.interval.upper) if isinstance(test, Estimate) else None
        found.append((result.metric.name, result.verdict, result.p_value, result.adjusted_p, interval))
    return found


@pytest.fixture(scope="module")
def first_life(house: House, sent: list[bytes]) -> dict[int, Any]:
    """What the decision run of each day said, as they came."""
    assert sent
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NEONBLUE_API_PORT", str(house.api.base_url.port))
        environment.setenv("NEONBLUE_API_TOKEN", TOKEN)
        (data,) = read_experiments(house.clickhouse, KEY)
        return {ago: decide(house, Api(), data, ago) for ago in range(DAYS - 1, -1, -1)}


def test_each_closed_day_is_one_look_and_a_rejection_stands(house: House, first_life: dict[int, Any]) -> None:
    looks = kept(house)

    assert [look.number for look in looks] == [1, 2, 3, 4, 5, 6]
    assert [look.closed_to for look in looks] == [format_instant(midnight(ago)) for ago in range(5, -1, -1)]
    bought = [look.cells[0] for look in looks]
    assert [cell.share for cell in bought] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert bought[-1].spent == pytest.approx(0.05)
    # The plan of one metric is at its end, that of the other goes on: the window of its last units is open.
    assert bought[-1].z is None
    assert looks[-1].cells[1].share < 1
    rejected = [cell for cell in bought if cell.rejected]
    assert rejected, "the effect is found"
    assert {(cell.p_value, cell.lower, cell.upper) for cell in rejected} == {
        (rejected[0].p_value, rejected[0].lower, rejected[0].upper)
    }
    assert first_life[0][0] is Action.SHIP


def test_the_planned_size_is_frozen_from_the_first_look_on(house: House, first_life: dict[int, Any]) -> None:
    assert first_life
    tag = house.api.get(f"/v1/experiments/{KEY}").headers["etag"]

    answer = house.api.patch(f"/v1/experiments/{KEY}", json={"planned_units": 900}, headers={"if-match": tag})

    assert answer.status_code == 409, answer.text
    assert "planned_units" in answer.text


def test_a_page_shows_the_look_that_stands_and_takes_none(house: House, first_life: dict[int, Any]) -> None:
    before = kept(house)
    house.refresh_live()

    page = house.get(f"{KEY}/results")
    item = next(item for item in page["items"] if item["metric_key"] == "bought")

    cell = next(cell for cell in before[-1].cells if cell.metric_key == "bought")
    assert (item["p_value"], item["ci_low"], item["ci_high"]) == (cell.p_value, cell.lower, cell.upper)
    assert item["n_control"] == DAYS * PER_DAY
    assert page["decision"]["action"] == first_life[0][0].value
    assert page["plan"]["looks"] == len(before)
    back = next(item for item in page["items"] if item["metric_key"] == "back")
    assert back["n_control"] + back["unfinished_control"] == DAYS * PER_DAY
    assert back["unfinished_control"] > 0
    assert kept(house) == before


def test_a_warehouse_that_is_made_anew_from_other_orders_changes_no_verdict(
    house: House, sent: list[bytes], first_life: dict[int, Any], api: Api
) -> None:
    looks = kept(house)
    shuffled = [*sent, *sent[:500]]
    random.Random(3).shuffle(shuffled)
    house.clickhouse.command(f"DROP DATABASE IF EXISTS {LIVE_DATABASE}")
    made = rows(
        house.clickhouse,
        "SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND name IN "
        "('metric_moments', 'unit_metric_values', 'first_exposures', 'touched_days', 'closings', 'partition_builds', "
        "'segment_metrics', 'assigned_units', 'exposed_units', 'attributed_events', 'daily_metrics', 'hourly_metrics', "
        "'user_journeys', 'metric_cap_changes')",
    )
    for name, engine in made:
        house.clickhouse.command(f"DROP {'VIEW' if engine == 'View' else 'TABLE'} {name}")
    for table in ("events_processed", "assignments", "recent_events"):
        house.clickhouse.command(f"TRUNCATE TABLE {table}")
    house.topic.send(*shuffled)
    house.build()
    (data,) = read_experiments(house.clickhouse, KEY)

    action, results = decide(house, api, data, 0)
    counted_to = midnight(0) + timedelta(minutes=20)
    again = ask(data.configurations, data.rows, counted_to.date(), now=counted_to).answer()

    assert kept(house) == looks
    assert (action, verdicts(results)) == (first_life[0][0], verdicts(first_life[0][1]))
    for worked_out, stands in zip(again.results, results, strict=True):
        assert worked_out.verdict is stands.verdict
        assert worked_out.p_value == pytest.approx(stands.p_value, rel=1e-9)


def test_a_conclusion_takes_the_last_look_and_says_no_more(
    house: House, first_life: dict[int, Any], api: Api
) -> None:
    assert first_life
    house.api.post(f"/v1/experiments/{KEY}/conclude").raise_for_status()
    house.carry()
    house.build()
    (data,) = read_experiments(house.clickhouse, KEY)
    before = kept(house)

    _, report = taken(api, data, before)
    _, again = taken(api, data, kept(house))

    assert report.decision.action is Action.SHIP
    assert again.decision == report.decision
    assert len(kept(house)) <= len(before) + 1
