"""Erasing a person: what is removed, what stays, what comes back."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.erasures import repository, service
from api.erasures.model import Erasure, Terms
from api.erasures.schemas import Verification
from api.erasures.service import ErasureService
from api.identity.identify import identifier, person_digest
from api.postgres.database import Connection, Pool
from tests.integration.api.fleet import wait_until
from tests.integration.api.people.conftest import Place, another_api
from tests.integration.scanning import in_clickhouse, in_postgres, in_valkey

Json = dict[str, Any]
RETENTION = ("outbox_events",)
"""What forgets by retention alone."""


def new_experiment(api: httpx.Client) -> str:
    key = f"experiment-{uuid4()}"
    variants = [{"key": "a", "weight": 1, "is_control": True}, {"key": "b", "weight": 1}]
    api.post("/v1/experiments", json={"key": key, "variants": variants}).raise_for_status()
    api.post(f"/v1/experiments/{key}/start").raise_for_status()
    return key


def assign(api: httpx.Client, experiment: str, user: str, **fields: object) -> Json:
    answer = api.post("/v1/assignments", json={"experiment": experiment, "user_id": user, **fields})
    answer.raise_for_status()
    found: Json = answer.json()
    return found


def send(api: httpx.Client, user: str, **fields: object) -> None:
    event = {"user_id": user, "event_type": "purchase", "value": 5, **fields}
    api.post("/v1/events", json=event, headers={"idempotency-key": str(uuid4())}).raise_for_status()


def live(place: Place, user: str, marker: str, experiment: str) -> None:
    """A person with everything that can be held on one, carried to ClickHouse."""
    place.api.put(
        f"/v1/users/{quote(user, safe='')}", json={"attributes": {"mail": marker}}
    ).raise_for_status()
    assign(place.api, experiment, user, attributes={"name": marker})
    send(place.api, user, properties={"address": marker}, session_id=f"session-of-{user}")
    place.stream.carry()


def erase(api: httpx.Client, user: str) -> Json:
    answer = api.delete(f"/v1/users/{quote(user, safe='')}")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/erasures/{answer.json()['id']}"
    found: Json = answer.json()
    return found


def receipt_of(api: httpx.Client, erasure: Json) -> Json:
    found: Json = api.get(f"/v1/erasures/{erasure['id']}").raise_for_status().json()
    return found


def wait_retained(place: Place, erasure: Json) -> Json:
    wait_until(
        lambda: receipt_of(place.api, erasure)["state"] == "retained",
        "everything but what retention must forget is removed",
    )
    return receipt_of(place.api, erasure)


def found(place: Place, *needles: str) -> set[str]:
    settings = place.settings
    return (
        in_postgres(settings.postgres.dsn(), needles, skip=RETENTION)
        | in_clickhouse(place.clickhouse, needles)
        | in_valkey(settings.valkey.dsn, needles)
    )


def test_an_erased_person_is_found_nowhere_and_a_replay_brings_nothing_back(place: Place) -> None:
    user, other, marker = f"person-{uuid4()}", f"other-{uuid4()}", f"secret-{uuid4()}"
    experiment = new_experiment(place.api)
    live(place, user, marker, experiment)
    live(place, other, "nothing", experiment)
    place.clickhouse.command(
        "CREATE TABLE IF NOT EXISTS unit_values (user_id String, unit_type String, value Int8) "
        "ENGINE = MergeTree ORDER BY user_id"
    )
    place.clickhouse.insert("unit_values", [[user, "user", 1], [user, "device", 1], [other, "user", 1]])
    place.clickhouse.command(
        "CREATE TABLE IF NOT EXISTS journeys (user_id String) ENGINE = MergeTree ORDER BY user_id"
    )
    place.clickhouse.insert("journeys", [[user], [other]])
    before = found(place, user, marker)
    assert {
        "users.external_id",
        "assignments.user_id",
        "events_processed.user_id",
        "journeys.user_id",
    } <= before
    wait_until(lambda: bool(in_valkey(place.settings.valkey.dsn, [user])), "Valkey holds the assignment")
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as postgres:
        postgres.execute("ANALYZE")  # so that the planner's statistics hold the person too

    erasure = erase(place.api, user)
    place.stream.carry()
    receipt = wait_retained(place, erasure)

    assert found(place, user, marker) == {"unit_values.user_id"}
    kept = place.clickhouse.query("SELECT user_id, unit_type FROM unit_values").result_rows
    assert sorted(kept) == sorted([(user, "device"), (other, "user")])
    places = {(entry["store"], entry["place"]): entry["rows"] for entry in receipt["removed"]}
    assert places["postgresql", "users"] == places["postgresql", "assignments"] == 1
    assert sum(rows for (_, name), rows in places.items() if name.startswith("events_2")) == 2
    assert places["clickhouse", "events_processed"] == 2
    assert places["clickhouse", "assignments"] == places["clickhouse", "journeys"] == 1
    assert {entry["store"] for entry in receipt["pending"]} == {"outbox", "topic"}
    assert all(entry["until"] for entry in receipt["pending"])
    assert user not in str(receipt)

    place.clickhouse.command("TRUNCATE TABLE unit_values")
    place.stream.replay()
    assert found(place, user, marker) == set()
    assert "users.external_id" in found(place, other)


def test_verification_removes_what_an_old_copy_of_clickhouse_brings_back(place: Place) -> None:
    user = f"person-{uuid4()}"
    live(place, user, "marker", new_experiment(place.api))
    rows = place.clickhouse.query(
        "SELECT event_id, user_id, unit_type, timestamp FROM events_processed WHERE user_id = {user:String}",
        parameters={"user": user},
    ).result_rows
    erasure = erase(place.api, user)
    place.stream.carry()
    wait_retained(place, erasure)
    place.clickhouse.insert(
        "events_processed", rows, column_names=["event_id", "user_id", "unit_type", "timestamp"]
    )
    assert in_clickhouse(place.clickhouse, [user])

    answer = place.api.post("/v1/erasures/verify").raise_for_status().json()

    assert in_clickhouse(place.clickhouse, [user]) == set()
    assert answer["unreachable"] == ["topic"]
    assert erasure["id"] in [pending["id"] for pending in answer["pending"]]


def test_one_that_is_put_back_while_it_is_closed_is_taken_off_the_list_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair finds it off ClickHouse's list and, as nothing is saved yet, open."""
    user = f"person-{uuid4()}"
    live(place, user, "marker", new_experiment(place.api))
    erasure = erase(place.api, user)
    place.stream.carry()
    wait_retained(place, erasure)
    digest = person_digest("user", user).hex().upper()
    columns = [
        "unit_type",
        "person",
        "person_key",
        "erased_at",
        "received_at",
        "ingested_at",
        "_partition",
        "_offset",
    ]
    listed = f"SELECT {', '.join(columns)} FROM erased_users WHERE hex(person) = '{digest}'"
    rows = place.clickhouse.query(listed, column_formats={"person": "bytes"}).result_rows
    assert rows
    save, find = repository.save, repository.open_erasures

    async def this_one(connection: Connection, most: int) -> list[Erasure]:
        return [one for one in await find(connection, most) if str(one.id) == erasure["id"]]

    async def put_back_and_save(connection: Connection, closed: Erasure, at: datetime | None) -> None:
        assert place.clickhouse.query(listed).result_rows == []
        place.clickhouse.insert("erased_users", rows, column_names=columns)
        await save(connection, closed, at)

    def closed(before: Erasure, *_: object) -> Erasure:
        now = datetime.now(UTC)
        gone = replace(before, outbox_gone_at=now, topic_gone_at=now, closed_at=now)
        return replace(gone, person=None, person_key=None)

    monkeypatch.setattr(repository, "open_erasures", this_one)
    monkeypatch.setattr(repository, "save", put_back_and_save)
    monkeypatch.setattr(service, "looked", closed)

    async def verify() -> Verification:
        pool = Pool(place.settings.postgres.dsn(), 1)
        terms = Terms(timedelta(seconds=1), timedelta(days=7), timedelta(hours=168))
        own = ErasureService(place.settings, pool, identifier(""), cast("Any", None), terms)
        try:
            return await own.verify()
        finally:
            await pool.close()

    assert [str(one) for one in asyncio.run(verify()).closed] == [erasure["id"]]
    assert place.clickhouse.query(listed).result_rows == []


def test_a_second_erasure_is_the_first_and_an_unknown_person_is_not_found(place: Place) -> None:
    user = f"person-{uuid4()}"
    send(place.api, user)  # known by an event alone
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: erase(place.api, user), range(8))
    assert {other["id"] for other in others} == {first["id"]}
    place.stream.carry()
    wait_retained(place, first)
    assert erase(place.api, user)["id"] == first["id"]

    answer = place.api.delete(f"/v1/users/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert place.api.delete(f"/v1/users/{user}", params={"unit_type": "device"}).status_code == 404
    assert place.api.get(f"/v1/erasures/{uuid4()}").status_code == 404


def test_an_erased_person_that_sends_again_is_a_new_one(place: Place) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    live(place, user, "old", experiment)
    first = erase(place.api, user)

    assert assign(place.api, experiment, user, attributes={"name": "new"})["created"]
    send(place.api, user, properties={"address": "new"})
    place.stream.carry()
    wait_retained(place, first)

    attributes = place.api.get(f"/v1/users/{user}").json()["attributes"]
    assert attributes == {"name": "new"}
    rows = place.clickhouse.query(
        "SELECT event_type, properties FROM events_processed WHERE user_id = {user:String} ORDER BY event_type",
        parameters={"user": user},
    ).result_rows
    assert rows == [("exposure", ""), ("purchase", '{"address":"new"}')]
    second = erase(place.api, user)
    assert second["id"] != first["id"]
    place.stream.carry()
    wait_retained(place, second)
    assert found(place, user) == set()


def test_what_was_under_way_at_the_erasure_is_erased_too(place: Place) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    live(place, user, "old", experiment)
    erasure = erase(place.api, user)
    received = datetime.fromisoformat(erasure["erased_at"])
    with psycopg.connect(place.settings.postgres.dsn()) as postgres:
        # As if a request received before the erasure had been stored after it.
        postgres.execute(
            """INSERT INTO events (day, id, "timestamp", received_at, user_id, unit_type, event_type)
            VALUES (%s, %s, %s, %s, %s, 'user', 'late')""",
            (received.date(), uuid4(), received, received, user),
        )
        postgres.execute(
            """INSERT INTO assignments (experiment_id, version, assigned_at, unit_type, user_id, variant_key)
            SELECT id, version, %s, 'user', %s, 'a' FROM experiments WHERE key = %s""",
            (received, user, experiment),
        )
        postgres.execute("INSERT INTO users (external_id, attributes) VALUES (%s, '{}')", (user,))
    place.stream.carry()
    wait_retained(place, erasure)
    assert found(place, user) == set()


def test_the_anonymous_ids_of_a_person_are_erased_with_it(place: Place) -> None:
    user, anonymous, experiment = f"person-{uuid4()}", f"cookie-{uuid4()}", new_experiment(place.api)
    live(place, anonymous, "marker", experiment)
    link = {"anonymous_id": anonymous, "user_id": user}
    place.api.post("/v1/users/links", json=link).raise_for_status()
    send(place.api, user)
    place.stream.carry()
    assert "user_links.anonymous_id" in found(place, anonymous)
    exported = place.api.get(f"/v1/users/{user}/export").json()
    assert exported["anonymous_ids"] == [anonymous]
    assert {row["user_id"] for row in exported["events"]} == {user, anonymous}

    erasure = erase(place.api, user)
    (other,) = erasure["linked"]
    place.stream.carry()
    wait_retained(place, erasure)
    wait_retained(place, {"id": other})
    assert found(place, user, anonymous) == set()
    place.stream.replay()
    assert found(place, user, anonymous) == set()


def test_erasing_an_anonymous_id_leaves_the_person(place: Place) -> None:
    user, anonymous, experiment = f"person-{uuid4()}", f"cookie-{uuid4()}", new_experiment(place.api)
    live(place, anonymous, "marker", experiment)
    link = {"anonymous_id": anonymous, "user_id": user}
    place.api.post("/v1/users/links", json=link).raise_for_status()
    place.stream.carry()
    erasure = erase(place.api, anonymous)
    place.stream.carry()
    wait_retained(place, erasure)
    assert found(place, anonymous) == set()
    assert "assignments.user_id" in found(place, user)


def test_a_forced_variant_goes_with_its_tester(place: Place) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    place.api.put(
        f"/v1/experiments/{experiment}/forced-variants", json={"user_id": user, "variant_key": "b"}
    ).raise_for_status()
    assert assign(place.api, experiment, user)["reason"] == "forced"
    erase(place.api, user)
    wait_until(lambda: assign(place.api, experiment, user).get("reason") != "forced", "it is forgotten")


def test_every_process_forgets_the_person(place: Place) -> None:
    user, experiment = f"person-{uuid4()}", new_experiment(place.api)
    with another_api(place.settings) as second:
        assign(place.api, experiment, user)
        assert not assign(second, experiment, user)["created"]  # now in the other process's cache
        erase(place.api, user)
        # Valkey and the other process hear of it; then the person is new to it.
        wait_until(lambda: assign(second, experiment, user)["created"], "the other process has forgotten")


def test_the_audit_log_keeps_a_hash_whose_key_is_gone(place: Place) -> None:
    user = f"person-{uuid4()}"
    place.api.put(f"/v1/users/{user}", json={"attributes": {"plan": "secret-plan"}}).raise_for_status()
    query = (
        "SELECT object_id, action, after FROM audit_log WHERE object_type = 'user' ORDER BY id DESC LIMIT 2"
    )
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as postgres:
        keys = "SELECT count(*) FROM person_keys WHERE user_id = %s"
        assert postgres.execute(keys, (user,)).fetchone() == (1,)
        erasure = erase(place.api, user)
        (erased, erasing, told), (changed, changing, change) = postgres.execute(query).fetchall()
        assert postgres.execute(keys, (user,)).fetchone() == (0,)
    assert erased == changed
    assert len(erased) == 64
    assert (erasing, told) == ("erase", {"erasure": erasure["id"], "linked": []})
    assert (changing, change) == ("set_attributes", {"changed": ["plan"]})


def test_what_a_process_is_at_is_due_soon_where_it_is_killed_and_not_before(place: Place) -> None:
    user = f"held-{uuid4().hex}"
    send(place.api, user)
    due = "SELECT extract(epoch FROM next_attempt_at - now())::float FROM erasures WHERE id = %s"
    with (
        psycopg.connect(place.stream.dsn) as holding,
        psycopg.connect(place.stream.dsn, autocommit=True) as looking,
    ):
        holding.execute("LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE")
        erasure = erase(place.api, user)

        def left() -> float:
            row = looking.execute(due, (erasure["id"],)).fetchone()
            return 0.0 if row is None or row[0] is None else row[0]

        wait_until(lambda: 5 < left() <= 30, "an attempt has begun")
        for _ in range(2):
            wait_until(lambda: left() < 28, "time passes")
            wait_until(lambda: 29 < left() <= 30, "the attempt goes on")
        holding.rollback()
    place.stream.carry()
    wait_retained(place, erasure)


def test_an_erasure_is_accepted_while_clickhouse_and_valkey_are_away(place: Place) -> None:
    user = f"person-{uuid4()}"
    settings = place.settings
    away = settings.model_copy(
        update={
            "clickhouse": settings.clickhouse.model_copy(update={"url": "http://127.0.0.1:1"}),
            "valkey": settings.valkey.model_copy(update={"port": 1}),
        }
    )
    send(place.api, user)
    with another_api(away) as lonely:
        erasure = erase(lonely, user)
        assert "postgresql" in {entry["store"] for entry in erasure["removed"]}
        assert {"clickhouse", "valkey"} <= {entry["store"] for entry in erasure["pending"]}
    place.stream.carry()
    receipt = wait_retained(place, erasure)  # the other process carries it through
    assert receipt["problem"] is None
    assert found(place, user) == set()
