"""What the exporter learns from ClickHouse: each question by itself, and no time of what never was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from neonblue.monitoring.clickhouse import ClickHouseSource
from neonblue.settings import Settings

Values = dict[tuple[str, ...], float]
REFRESHED = "neonblue_clickhouse_refresh_last_success_timestamp_seconds"
FAILING = "neonblue_clickhouse_refresh_failing"
SENT = ("neonblue_canary_sent_timestamp_seconds",)
QUESTIONS = ("canaries", "metrics", "events", "tables", "refreshes", "dead_letters")


@pytest.fixture
def source(server: Settings, clickhouse: Client) -> ClickHouseSource:
    reader = {"readonly_user": "reader", "readonly_password": SecretStr("another-password")}
    return ClickHouseSource(server.clickhouse.model_copy(update=reader))


@pytest.fixture
def live(clickhouse: Client) -> Iterator[Client]:
    """The database in which views are refreshed."""
    clickhouse.command("CREATE DATABASE default_live ENGINE = Atomic")
    yield clickhouse
    clickhouse.command("DROP DATABASE default_live")


def values(source: ClickHouseSource) -> Values:
    return {(sample.family.name, *sample.labels): sample.value for sample in source.look()}


def answered(found: Values) -> dict[str, float]:
    return {name: found["neonblue_clickhouse_answered", name] for name in QUESTIONS}


def until(source: ClickHouseSource, condition: Callable[[Values], bool]) -> Values:
    deadline = time.monotonic() + 60
    while not condition(found := values(source)):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_a_canary_is_told_once_one_was_there_and_not_forgotten(
    source: ClickHouseSource, clickhouse: Client
) -> None:
    assert SENT not in values(source)

    beat = int(time.time())  # older ones are dropped at any time
    clickhouse.command(
        f"INSERT INTO canaries SELECT toDateTime({beat}, 'UTC'), toDateTime64({beat} + 0.5, 3, 'UTC')"
    )
    found = values(source)
    clickhouse.command("TRUNCATE TABLE canaries")

    assert found[SENT] == beat
    assert found["neonblue_canary_seconds",] == pytest.approx(0.5)
    assert values(source)[SENT] == beat


def test_a_question_without_an_answer_costs_no_other(source: ClickHouseSource, clickhouse: Client) -> None:
    clickhouse.command("RENAME TABLE canaries TO lost")
    try:
        found = values(source)
    finally:
        clickhouse.command("RENAME TABLE lost TO canaries")

    assert answered(found) == dict.fromkeys(QUESTIONS, 1.0) | {"canaries": 0.0}
    assert found["neonblue_dead_letters",] == 0
    assert SENT not in found
    assert answered(values(source)) == dict.fromkeys(QUESTIONS, 1.0)


def test_dead_letters_are_counted(source: ClickHouseSource, clickhouse: Client) -> None:
    clickhouse.command(
        "INSERT INTO dead_letters (message, error, topic, _offset, ingested_at) VALUES ('a', 'b', 'c', 1, now())"
    )

    assert values(source)["neonblue_dead_letters",] == 1


def test_views_are_told_by_their_last_refresh_and_one_that_had_none_has_no_time(
    source: ClickHouseSource, live: Client
) -> None:
    made = "CREATE MATERIALIZED VIEW default_live.{} REFRESH EVERY 1 HOUR (x UInt8) ENGINE = Memory AS SELECT {} AS x"
    live.command(made.format("filled", "1"))
    live.command(made.format("broken", "throwIf(materialize(1) = 1, 'never')"))

    found = until(source, lambda seen: (REFRESHED, "filled") in seen and seen.get((FAILING, "broken")) == 1)

    assert abs(found[REFRESHED, "filled"] - time.time()) < 120
    assert (REFRESHED, "broken") not in found
    assert found[FAILING, "filled"] == 0
