"""Erasures where the clocks of the API's processes differ by hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from neonblue.faults.strikes.storage import faketime
from tests.integration.api.people.conftest import Place, another_api
from tests.integration.api.people.test_erasure import (
    Json,
    assign,
    erase,
    found,
    live,
    new_experiment,
    send,
    wait_retained,
)

_STORED = (
    "SELECT event_type, properties FROM events_processed WHERE user_id = {user:String} ORDER BY event_type"
)


@pytest.fixture(scope="module", params=["+5h", "-5h"], ids=["ahead", "behind"])
def odd(request: pytest.FixtureRequest, place: Place) -> Iterator[httpx.Client]:
    """An API process whose clock is hours ahead, or behind."""
    library = faketime()
    if library is None:
        pytest.skip("libfaketime is not installed")
    clock = {"LD_PRELOAD": str(library), "FAKETIME": request.param, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with another_api(place.settings, clock) as client:
        yield client


def comes_back(place: Place, api: httpx.Client, user: str, experiment: str, erasure: Json) -> None:
    """Whoever was erased sends again through this process: what came before is gone, what comes now is there."""
    assert assign(api, experiment, user, attributes={"name": "new"})["created"]
    send(api, user, properties={"address": "new"})
    place.stream.carry()
    receipt = wait_retained(place, erasure)
    rows = place.clickhouse.query(_STORED, parameters={"user": user}).result_rows
    assert rows == [("exposure", ""), ("purchase", '{"address":"new"}')]
    assert "assignments.user_id" in found(place, user)
    now = datetime.now(UTC)
    times = [receipt["erased_at"], *(entry["at"] for entry in receipt["removed"])]
    assert all(abs(now - datetime.fromisoformat(at)) < timedelta(minutes=5) for at in times)


def test_an_erasure_at_another_hour_hides_nothing_that_is_sent_later(place: Place, odd: httpx.Client) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    live(place, user, "old", experiment)
    erasure = erase(odd, user)
    comes_back(place, place.api, user, experiment, erasure)


def test_what_was_received_at_another_hour_is_erased_and_hides_nothing(
    place: Place, odd: httpx.Client
) -> None:
    user, marker, experiment = f"person-{uuid4()}", f"secret-{uuid4()}", new_experiment(place.api)
    assign(odd, experiment, user, attributes={"name": marker})
    send(odd, user, properties={"address": marker})
    place.stream.carry()
    erasure = erase(place.api, user)
    comes_back(place, place.api, user, experiment, erasure)
    assert found(place, marker) == set()


def test_what_is_sent_to_a_process_at_another_hour_after_the_erasure_is_seen(
    place: Place, odd: httpx.Client
) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    live(place, user, "old", experiment)
    erasure = erase(place.api, user)
    comes_back(place, odd, user, experiment, erasure)


def test_the_ids_of_a_person_linked_at_another_hour_come_back(place: Place, odd: httpx.Client) -> None:
    user, anonymous, experiment = f"person-{uuid4()}", f"cookie-{uuid4()}", new_experiment(place.api)
    link = {"anonymous_id": anonymous, "user_id": user}
    live(place, anonymous, "old", experiment)
    odd.post("/v1/users/links", json=link).raise_for_status()
    place.stream.carry()
    erasure = erase(place.api, user)
    assert odd.post("/v1/users/links", json=link).raise_for_status().json()["created"]
    place.stream.carry()
    wait_retained(place, erasure)
    assert "user_links.anonymous_id" in found(place, anonymous)


@pytest.mark.parametrize(("table", "column"), [("assignments", "received_at"), ("user_links", "linked_at")])
def test_an_erasure_is_never_before_what_it_removes(place: Place, table: str, column: str) -> None:
    """As where PostgreSQL's own clock was set back."""
    user, anonymous, experiment = f"person-{uuid4()}", f"cookie-{uuid4()}", new_experiment(place.api)
    assign(place.api, experiment, user)
    link = {"anonymous_id": anonymous, "user_id": user}
    place.api.post("/v1/users/links", json=link).raise_for_status()
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    with psycopg.connect(place.settings.postgres.dsn()) as postgres:
        statement = sql.SQL("UPDATE {} SET {} = %s WHERE user_id = %s").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        assert postgres.execute(statement, (ahead, user)).rowcount == 1

    assert datetime.fromisoformat(erase(place.api, user)["erased_at"]) > ahead
