"""What ClickHouse has lost or could not read is published again, and no more than that."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

import msgspec
import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from neonblue.reconciliation import reconcile
from neonblue.reconciliation.compare import Kind
from neonblue.republication import repair, republish, warehouse
from neonblue.republication.warehouse import ErasedPerson
from tests.integration.api.life_cycle import draft
from tests.integration.api.people.conftest import Place
from tests.integration.api.people.test_erasure import erase, wait_retained
from tests.integration.republication.messages import (
    TABLES,
    assign,
    contents,
    every_experiment,
    every_person,
    last_row,
    messages,
    ok,
    send,
)
from tests.integration.warehouse import envelope

pytestmark = pytest.mark.usefixtures("slot")


def test_what_clickhouse_lost_comes_back_and_who_is_erased_does_not(place: Place) -> None:
    person, leaving = (every_person(place.api, *every_experiment(place.api)) for _ in range(2))
    place.stream.carry()
    erasure = erase(place.api, person)
    place.stream.carry()
    wait_retained(place, erasure)
    send(place.api, {"user_id": person, "event_type": "came_back"})
    place.stream.carry()
    held = contents(place.clickhouse)
    erase(place.api, leaving)  # the stream has not brought it when everything is lost
    for table in TABLES:
        place.clickhouse.command(f"TRUNCATE TABLE {table}")

    repaired = repair(place.settings, wait_seconds=0)
    place.stream.carry()

    assert repaired.restored >= 1
    after = contents(place.clickhouse)
    for table in TABLES:
        lost, found = held[table] - after[table], after[table] - held[table]
        assert all(leaving in row or of_deleted_draft(place, table, row) for row in lost), table
        assert not found or table == "erased_users", table
    came_back = "SELECT groupArray(event_type) FROM events_processed FINAL WHERE user_id = {user:String}"
    assert place.clickhouse.query(came_back, parameters={"user": person}).result_rows == [(["came_back"],)]
    assert place.clickhouse.query(came_back, parameters={"user": leaving}).result_rows == [([],)]
    assert reconcile(place.settings).equal
    assert repair(place.settings, wait_seconds=0).rows == 0


def test_an_erasure_that_is_closed_meanwhile_is_not_left_restored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [every_person(place.api, *every_experiment(place.api)) for _ in range(2)]
    place.stream.carry()
    made = [erase(place.api, person) for person in people]
    place.stream.carry()
    for erasure in made:
        wait_retained(place, erasure)
    place.clickhouse.command("TRUNCATE TABLE erased_users")
    restore, calls = warehouse.restore, []

    def close_one(client: Client, persons: Iterable[ErasedPerson]) -> int:
        calls.append(1)
        with psycopg.connect(place.settings.postgres.dsn()) as connection:
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute(
                "UPDATE erasures SET person = NULL, person_key = NULL WHERE id = %s", (made[0]["id"],)
            )
        return restore(client, persons)

    monkeypatch.setattr(warehouse, "restore", close_one)

    repair(place.settings, wait_seconds=0)

    assert calls == [1]
    erased = reconcile(place.settings).rows[Kind.ERASURES].total
    assert (erased.missing, erased.unexpected) == (0, 0)
    assert erased.present > 0


def test_what_alone_is_missing_is_published(place: Place) -> None:
    every_person(place.api, *every_experiment(place.api))
    place.stream.carry()
    held, after = contents(place.clickhouse), last_row(place.settings.postgres.dsn())
    lose(place, "events_processed", "event_type = 'purchase'")
    lose(place, "assignments", "variant_key = 'b'")
    lose(place, "experiments", "version > 1")
    place.clickhouse.command(
        "ALTER TABLE events_processed UPDATE value = value + 1 WHERE event_type = 'page_view' AND session_id != ''",
        settings={"mutations_sync": 2},
    )
    differing = reconcile(place.settings)

    repaired = repair(place.settings, wait_seconds=0)
    published = messages(place.settings.postgres.dsn(), after)
    place.stream.carry()

    missing = {kind: rows.total.missing for kind, rows in differing.rows.items()}
    assert all(missing[kind] for kind in (Kind.EVENTS, Kind.ASSIGNMENTS, Kind.EXPERIMENTS))
    assert repaired.published[Kind.ASSIGNMENTS] == missing[Kind.ASSIGNMENTS]
    deleted = differing.rows[
        Kind.EXPERIMENTS
    ].total.unexpected  # drafts of other tests: their end is published
    assert repaired.published[Kind.EXPERIMENTS] == missing[Kind.EXPERIMENTS] + deleted
    assert repaired.published[Kind.EVENTS] >= missing[Kind.EVENTS]
    assert published.total() == repaired.rows
    assert contents(place.clickhouse) == held
    assert reconcile(place.settings).equal


@pytest.mark.parametrize("months", [0, 2])
def test_history_that_postgresql_keeps_is_published_whatever_its_month(place: Place, months: int) -> None:
    _, external, _ = every_experiment(place.api)
    user = f"history-{uuid4()}"
    old = {"event_type": "purchase", "user_id": user, "experiment": external["key"], "id": str(uuid4())}
    send(place.api, old | {"timestamp": "2019-04-03T07:08:09Z"})
    place.stream.carry()
    lose(place, "events_processed", f"user_id = '{user}'")
    retention = place.settings.retention.model_copy(update={"analysis_months": months})

    repaired = repair(place.settings.model_copy(update={"retention": retention}), wait_seconds=0)
    place.stream.carry()

    assert repaired.published == {Kind.EVENTS: 1}
    assert reconcile(place.settings).equal


def test_a_draft_whose_deletion_never_arrived_is_archived(place: Place) -> None:
    made = draft(place.api)
    place.stream.carry()
    ok(place.api.delete(f"/v1/experiments/{made['key']}"))
    skip(place)
    assert reconcile(place.settings).rows[Kind.EXPERIMENTS].total.unexpected == 1

    repaired = repair(place.settings, wait_seconds=0)
    place.stream.carry()

    assert repaired.published == {Kind.EXPERIMENTS: 1}
    assert reconcile(place.settings).equal


def test_an_assignment_of_an_older_version_keeps_what_clickhouse_knows_of_it(place: Place) -> None:
    """Rows of older versions have neither attributes nor the time of receipt."""
    *_, targeted = every_experiment(place.api)
    known, unknown = f"known-{uuid4()}", f"unknown-{uuid4()}"
    for user in (known, unknown):
        assign(place.api, targeted, user, attributes={"plan": "free"})
    place.stream.carry()
    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        connection.execute(
            "UPDATE assignments SET received_at = NULL, attributes = NULL WHERE user_id = ANY(%s)",
            ([known, unknown],),
        )
    lose(place, "assignments", f"user_id = '{unknown}'")

    republished = republish(place.settings, None, None, {Kind.ASSIGNMENTS})
    place.stream.carry()

    query = "SELECT user_id, attributes FROM assignments FINAL WHERE user_id IN ({a:String}, {b:String}) ORDER BY 1"
    rows = place.clickhouse.query(query, parameters={"a": known, "b": unknown}).result_rows
    assert rows == [(known, '{"plan":"free"}'), (unknown, "")]
    assert republished.kept == 1
    assert reconcile(place.settings).equal


def test_a_letter_of_a_row_that_is_present_is_no_trouble(place: Place) -> None:
    *_, targeted = every_experiment(place.api)
    user, after = f"u-{uuid4()}", last_row(place.settings.postgres.dsn())
    place.stream.carry()
    assign(place.api, targeted, user, attributes={"plan": "free"})
    ok(place.api.post("/v1/users/links", json={"anonymous_id": f"device-of-{user}", "user_id": user}))
    ok(place.api.post(f"/v1/experiments/{targeted['key']}/pause"))
    sent = messages(place.settings.postgres.dsn(), after)
    for (kind, message), times in sent.items():
        broken = msgspec.json.decode(message) | {"schema_version": 99}
        place.clickhouse.insert(
            "raw_events_kafka", [[envelope(kind, broken), 1]] * times, column_names=["message", "_offset"]
        )
    skip(place)
    before = reconcile(place.settings)
    assert sum(before.dead_letters.values()) == sent.total() >= 4

    repair(place.settings, wait_seconds=0)
    place.stream.carry()

    result = reconcile(place.settings)
    assert (result.dead_letters, result.resolved) == ({}, sent.total())
    assert result.agree


def test_a_letter_that_holds_several_rows_is_resolved_once_all_are_present(place: Place) -> None:
    before, after = reconcile(place.settings), last_row(place.settings.postgres.dsn())
    send(place.api, *({"user_id": f"u-{n}", "event_type": "page_view"} for n in range(3)))
    batch = f"[{','.join(text for _, text in messages(place.settings.postgres.dsn(), after))}]"
    place.stream.carry()
    unknown = {"schema_version": 1, "id": str(uuid4()), "user_id": "u"}
    letters = [
        envelope("event_batch", batch[:-1]),  # a batch that does not end
        envelope("event_batch", batch, event_type="NO_SUCH_TYPE"),
        envelope("event_batch", batch[:-1] + "," + msgspec.json.encode(unknown).decode()),
        b"no JSON at all",
    ]
    place.clickhouse.insert(
        "raw_events_kafka",
        [[one, 10**9 + n] for n, one in enumerate(letters)],
        column_names=["message", "_offset"],
    )

    result = reconcile(place.settings)

    place.clickhouse.command(
        "ALTER TABLE dead_letters DELETE WHERE _offset >= 1000000000", settings={"mutations_sync": 2}
    )
    assert result.resolved - before.resolved == 2
    assert sum(result.dead_letters.values()) - sum(before.dead_letters.values()) == 2
    assert not result.agree


def lose(place: Place, table: str, condition: str) -> None:
    statement = f"ALTER TABLE {table} DELETE WHERE {condition}"
    place.clickhouse.command(statement, settings={"mutations_sync": 2})


def skip(place: Place) -> None:
    """What is in the outbox now is lost on its way."""
    place.stream._last = last_row(place.settings.postgres.dsn())


def of_deleted_draft(place: Place, table: str, row: str) -> bool:
    if table != "experiments":
        return False
    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        drafts = connection.execute("SELECT snapshot ->> 'key' FROM deleted_drafts").fetchall()
    return any(key in row for (key,) in drafts)
