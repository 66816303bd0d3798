"""A message that is made anew from the tables is the one that the API wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neonblue.contract.identifiers import uuid7
from neonblue.contract.instants import format_instant
from neonblue.reconciliation import reconcile
from neonblue.reconciliation.compare import Kind
from neonblue.republication import Progress, plan, republish, stored
from tests.integration.api.people.conftest import Place
from tests.integration.republication.messages import (
    contents,
    deleted_draft,
    every_experiment,
    every_person,
    last_row,
    messages,
    ok,
    send,
)

Json = dict[str, Any]
pytestmark = pytest.mark.usefixtures("slot")


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
    dsn = place.settings.postgres.dsn()
    earlier, after = messages(dsn), last_row(dsn)
    every_person(place.api, *every_experiment(place.api))
    gone = deleted_draft(place.api)
    first = messages(dsn, after)

    again = rebuilt(place)
    again -= type(again)({message: again[message] for message in earlier})

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
            "app_version": texts,
            "value": st.decimals(-(10**11), 10**11, places=6).map(float) | st.integers(-(10**11), 10**11),
            "properties": st.dictionaries(texts, json_values, max_size=5),
        },
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=events, behind=st.none() | st.integers(-90_000, 90_000))
def test_events_of_any_content_are_made_anew_as_they_were(
    place: Place, drawn: list[Json], behind: int | None
) -> None:
    dsn, after = place.settings.postgres.dsn(), last_row(place.settings.postgres.dsn())
    now = datetime.now(UTC)
    sent = [
        one | {"id": str(one["id"]()), "timestamp": format_instant(now - timedelta(microseconds=one["age"]))}
        for one in drawn
    ]
    for one in sent:
        del one["age"]
    clock = {} if behind is None else {"Sent-At": format_instant(now - timedelta(seconds=behind))}
    place.api.post("/v1/events", json=sent, headers=clock)
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
