"""A message that is made anew from the tables is the one that the API wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neonblue.client.identifiers import uuid7
from neonblue.contract.instants import format_instant
from neonblue.reconciliation import reconcile
from neonblue.reconciliation.compare import Kind
from neonblue.republication import Progress, plan, repair, republish, stored, warehouse
from neonblue.republication.warehouse import ErasedPerson
from tests.integration.api.life_cycle import draft
from tests.integration.api.people.conftest import Place
from tests.integration.api.people.test_erasure import erase, wait_retained
from tests.integration.republication.messages import (
    TABLES,
    assign,
    contents,
    deleted_draft,
    every_experiment,
    every_person,
    last_row,
    messages,
    ok,
    send,
)
from tests.integration.warehouse import envelope

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def slot(place: Place) -> Iterator[None]:
    """Of the connector that the tests stand in for."""
    name = place.settings.connect.slot
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        try:
            yield
        finally:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def rebuilt(place: Place, *span: datetime | None, kinds: set[Kind] | None = None) -> Any:
    """What publishing again writes into the outbox."""
    dsn = place.settings.postgres.dsn()
    after = last_row(dsn)
    start, end = span or (None, None)
    republish(place.settings, start, end, kinds)
    return messages(dsn, after)


def of_draft(message: tuple[str, str], draft: Json) -> bool:
    return message[0] == "experiment" and msgspec.json.decode(message[1])["experiment_id"] == draft["id"]


def test_every_message_is_made_anew_as_it_was(place: Place) -> None:
    every_person(place.api, *every_experiment(place.api))
    gone = deleted_draft(place.api)
    first = messages(place.settings.postgres.dsn())

    again = rebuilt(place)

    # Of a deleted draft the last message alone is kept: the others told of a state that nothing is left of.
    told = [message for message in first if of_draft(message, gone)]
    last = max(told, key=lambda message: msgspec.json.decode(message[1])["version"])
    expected = first - type(first)(message for message in told if message != last)
    assert {kind for kind, _ in again} >= {"event", "assignment", "experiment", "user_link"}
    assert again == expected
    assert again[last] == 1


_NUMBERS = st.just(0.0) | st.builds(
    lambda size, sign: size * sign, st.floats(1e-29, 1e29), st.sampled_from([-1, 1])
)
"""As the API takes them."""
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _NUMBERS
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
instants = st.integers(0, 60 * 86_400 * 10**6)
events = st.lists(
    st.fixed_dictionaries(
        {"user_id": texts, "event_type": texts, "age": instants, "id": st.sampled_from([uuid4, uuid7])},
        optional={
            "unit_type": texts,
            "session_id": texts,
            "value": st.decimals(-(10**11), 10**11, places=6).map(float) | st.integers(-(10**11), 10**11),
            "properties": st.dictionaries(texts, json_values, max_size=5),
        },
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=events)
def test_events_of_any_content_are_made_anew_as_they_were(place: Place, drawn: list[Json]) -> None:
    dsn, after = place.settings.postgres.dsn(), last_row(place.settings.postgres.dsn())
    now = datetime.now(UTC)
    sent = [
        one | {"id": str(one["id"]()), "timestamp": format_instant(now - timedelta(microseconds=one["age"]))}
        for one in drawn
    ]
    for one in sent:
        del one["age"]
    ok(place.api.post("/v1/events", json=sent))
    first = messages(dsn, after)
    assume(first)

    with psycopg.connect(dsn, autocommit=True) as connection:
        ids = [msgspec.json.decode(message)["id"] for _, message in first]
        days = connection.execute("SELECT DISTINCT day FROM events WHERE id = ANY(%s::uuid[])", (ids,))
        found = [one for (day,) in days.fetchall() for one in stored.find_events(connection, day, ids)]
        again = [
            connection.execute("SELECT %s::jsonb::text", (one.message.payload.decode(),)).fetchone()
            for one in found
        ]

    assert sorted(text for (text,) in filter(None, again)) == sorted(text for _, text in first)


def test_a_span_of_acceptance_is_published_and_nothing_beside_it(place: Place) -> None:
    dsn = place.settings.postgres.dsn()
    send(place.api, {"user_id": "before", "event_type": "page_view"})
    start, after = clock(dsn), last_row(dsn)
    send(place.api, {"user_id": "within", "event_type": "page_view"})
    within = messages(dsn, after)
    end = clock(dsn)
    send(place.api, {"user_id": "after", "event_type": "page_view"})

    assert rebuilt(place, start, end, kinds={Kind.EVENTS}) == within
    counted = plan(place.settings, start, end, {Kind.EVENTS})[Kind.EVENTS]
    assert [(one.accepted, one.rows) for one in counted] == [(start.date(), 1)]


def test_published_again_it_changes_nothing(place: Place) -> None:
    every_person(place.api, *every_experiment(place.api))
    place.stream.carry()
    before, held = contents(place.clickhouse), reconcile(place.settings)

    for _ in range(2):
        republish(place.settings, None, None)
        place.stream.carry()

    assert contents(place.clickhouse) == before
    assert reconcile(place.settings).rows == held.rows


def test_a_newer_version_of_an_experiment_stays_the_newest(place: Place) -> None:
    running, *_ = every_experiment(place.api)
    place.stream.carry()
    ok(place.api.post(f"/v1/experiments/{running['key']}/pause"))
    place.stream.carry()
    query = "SELECT argMax(status, (version, received_at)), count() FROM experiments FINAL WHERE key = {key:String}"
    before = place.clickhouse.query(query, parameters={"key": running["key"]}).result_rows

    republish(place.settings, None, None, {Kind.EXPERIMENTS})
    place.stream.carry()

    assert before[0][0] == "paused"
    assert place.clickhouse.query(query, parameters={"key": running["key"]}).result_rows == before


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


def test_ended_in_between_it_goes_on_without_a_gap(place: Place) -> None:
    """History is stored under days long before those of its acceptance."""
    _, external, _ = every_experiment(place.api)
    for number in range(6):
        at = f"2019-05-0{number + 1}T07:08:09Z"
        history = {"event_type": "purchase", "user_id": "u", "experiment": external["key"], "timestamp": at}
        send(place.api, history | {"id": str(uuid4())}, {"event_type": "page_view", "user_id": "u"})
    dsn = place.settings.postgres.dsn()
    everything, after = messages(dsn), last_row(dsn)
    seen: list[Progress] = []

    def end_early(progress: Progress) -> None:
        seen.append(progress)
        if progress.kind is Kind.EVENTS and progress.done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        republish(place.settings, None, None, None, end_early)
    cut = messages(dsn, after)
    republish(place.settings, seen[-1].go_on_from, None, {Kind.EVENTS})

    events = {text for kind, text in everything if kind == "event"}
    assert {text for kind, text in cut if kind == "event"} < events
    assert {text for kind, text in messages(dsn, after) if kind == "event"} >= of_now(dsn)
    assert seen[-1].go_on_from is not None


def test_who_published_again_is_in_the_audit_log(place: Place) -> None:
    send(place.api, {"user_id": "u", "event_type": "page_view"})

    republish(place.settings, None, None, {Kind.EVENTS}, actor="somebody")

    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        rows = connection.execute(
            "SELECT action, after FROM audit_log WHERE actor = 'somebody' ORDER BY id"
        ).fetchall()
    assert [action for action, _ in rows] == ["republish", "republished"]
    assert rows[0][1] == {"from": None, "to": None, "kinds": ["erasures", "events"]}
    assert rows[1][1]["rows"]["events"] >= 1


def test_rows_are_appended_to_the_outbox_without_a_look_at_the_whole_day_for_each_page(place: Place) -> None:
    """Also where ids are no times, so that rows that follow each other by their key lie anywhere."""
    day = datetime(2026, 1, 5, tzinfo=UTC)
    with psycopg.connect(place.settings.postgres.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE events_of_a_day (LIKE events INCLUDING ALL)")
        connection.execute(
            "ALTER TABLE events ATTACH PARTITION events_of_a_day FOR VALUES FROM ('2026-01-05') TO ('2026-01-06')"
        )
        connection.execute(
            """INSERT INTO events (day, id, "timestamp", received_at, user_id, unit_type, event_type)
            SELECT '2026-01-05', gen_random_uuid(), %s, %s, 'u', 'user', 'page_view' FROM generate_series(1, 30000)""",
            (day, day),
        )
        connection.execute("VACUUM ANALYZE events_of_a_day")
        before = looks_at_all_rows(connection)

        republished = republish(place.settings, day, day + timedelta(days=1), {Kind.EVENTS})
        looks = looks_at_all_rows(connection) - before

        connection.execute("DROP TABLE events_of_a_day")
        connection.execute("DELETE FROM outbox_events WHERE payload::text LIKE '%2026-01-05T%'")
    assert republished.rows[Kind.EVENTS] == 30_000
    assert looks <= 3  # the rows are counted first, by several processes


def looks_at_all_rows(connection: psycopg.Connection) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")
    query = "SELECT seq_scan FROM pg_stat_all_tables WHERE relname = 'events_of_a_day'"
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def of_now(dsn: str) -> set[str]:
    """The events that PostgreSQL holds, as messages in the outbox's form."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        days = connection.execute("SELECT day, array_agg(id::text) FROM events GROUP BY day").fetchall()
        found = [one for day, ids in days for one in stored.find_events(connection, day, ids)]
        texts = [one.message.payload.decode() for one in found]
        return {text for (text,) in connection.execute("SELECT unnest(%s::text[])::jsonb::text", (texts,))}


def clock(dsn: str) -> datetime:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


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
