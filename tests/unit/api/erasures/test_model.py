"""What follows from an erasure's state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from api.erasures.model import (
    Erasure,
    Seen,
    Terms,
    clears_from,
    looked,
    outbox_until,
    receipt,
    removed_more,
    settles_at,
    topic_until,
)
from api.erasures.schemas import Removed, State

TERMS = Terms(timedelta(seconds=60), timedelta(days=7), timedelta(hours=168))
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Erasure(uuid4(), "user", "ada", b"x" * 32, AT)
RETAINED = replace(
    NEW,
    user_id=None,
    arrived_at=AT + timedelta(seconds=1),
    settled_at=AT + timedelta(seconds=60),
    cleared_at=AT + timedelta(seconds=62),
)
LATER = AT + timedelta(days=30)
NOTHING_LEFT = Seen(outbox_oldest=None, topic_oldest=None, topic_known=True)


def entry(rows: int | None, place: str = "events", at: datetime = AT) -> Removed:
    return Removed(store="clickhouse", place=place, rows=rows, at=at)


def stores(erasure: Erasure) -> set[str]:
    return {pending.store for pending in receipt(erasure, TERMS).pending}


def test_a_new_erasure_waits_for_every_store() -> None:
    assert NEW.state is State.REMOVING
    assert stores(NEW) == {"postgresql", "valkey", "clickhouse", "outbox", "topic"}


def test_a_retained_erasure_waits_for_retention_alone_and_says_until_when() -> None:
    assert RETAINED.state is State.RETAINED
    pending = {entry.store: entry.until for entry in receipt(RETAINED, TERMS).pending}
    # The outbox drops the day of the erasure after seven more; the topic's last segment ends a day after its limit.
    assert pending["outbox"] == datetime(2026, 3, 9, tzinfo=UTC)
    assert pending["topic"] == AT + timedelta(seconds=60, minutes=10, days=8)
    assert set(pending) == {"outbox", "topic"}


def test_an_erasure_that_arrived_late_may_have_been_published_again_and_keeps_the_outbox_longer() -> None:
    late = replace(RETAINED, arrived_at=AT + timedelta(days=3), cleared_at=AT + timedelta(days=3, seconds=2))
    published_again = Seen(AT + timedelta(days=2), None, True)

    assert outbox_until(late, TERMS) == outbox_until(RETAINED, TERMS) + timedelta(days=3)
    assert looked(RETAINED, published_again, TERMS, LATER).outbox_gone_at is not None
    assert looked(late, published_again, TERMS, LATER).outbox_gone_at is None


def test_the_key_goes_with_the_digest() -> None:
    closed = looked(replace(RETAINED, person_key=7), NOTHING_LEFT, TERMS, LATER)

    assert (closed.person, closed.person_key) == (None, None)


def test_what_is_stored_after_midnight_keeps_the_outbox_a_day_longer() -> None:
    late = replace(NEW, erased_at=datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC))
    assert outbox_until(late, TERMS) == datetime(2026, 3, 10, tzinfo=UTC)


def test_an_erasure_is_closed_when_retention_has_forgotten_and_keeps_no_digest() -> None:
    closed = looked(RETAINED, NOTHING_LEFT, TERMS, LATER)
    assert (closed.state, closed.closed_at, closed.person) == (State.CLOSED, LATER, None)
    assert receipt(closed, TERMS).pending == []
    assert {(entry.store, entry.rows) for entry in closed.removed} == {("outbox", None), ("topic", None)}


def test_one_log_that_still_remembers_keeps_the_erasure_open() -> None:
    for seen, left in (
        (Seen(AT - timedelta(hours=1), None, True), {"outbox"}),
        (Seen(None, AT - timedelta(hours=1), True), {"topic"}),
        (Seen(None, None, False), {"topic"}),
    ):
        after = looked(RETAINED, seen, TERMS, LATER)
        assert after.state is State.RETAINED
        assert after.person is not None
        assert stores(after) == left


def test_an_empty_log_proves_nothing_before_the_last_row_can_have_been_written() -> None:
    assert looked(RETAINED, NOTHING_LEFT, TERMS, AT + timedelta(seconds=30)).state is State.RETAINED


def test_what_is_not_removed_yet_is_never_closed() -> None:
    assert looked(NEW, NOTHING_LEFT, TERMS, LATER) == NEW


def test_clickhouse_is_clear_only_a_while_after_the_stream_brought_the_erasure() -> None:
    assert clears_from(NEW, TERMS) is None
    slow = replace(NEW, arrived_at=AT + timedelta(hours=2))
    assert clears_from(slow, TERMS) == AT + timedelta(hours=2, seconds=60)
    assert topic_until(slow, TERMS) == AT + timedelta(hours=2, minutes=10, days=8)


@given(st.lists(st.tuples(st.sampled_from(["events", "users"]), st.integers(0, 1000))))
def test_removed_rows_add_up_by_place(found: list[tuple[str, int]]) -> None:
    erasure = NEW
    for place, rows in found:
        erasure = removed_more(erasure, [entry(rows, place)])
    totals = {one.place: one.rows for one in erasure.removed}
    for place in {name for name, _ in found}:
        assert totals[place] == sum(rows for name, rows in found if name == place)


def test_looking_and_finding_nothing_leaves_the_time_of_what_was_removed() -> None:
    erasure = removed_more(removed_more(NEW, [entry(3)]), [entry(0, at=LATER)])
    assert erasure.removed == (entry(3),)


@given(st.timedeltas(timedelta(0), timedelta(days=400)), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_limits_follow_one_another(settle: timedelta, retention: timedelta) -> None:
    terms = Terms(settle, retention, retention)
    assert AT <= settles_at(NEW, terms) <= outbox_until(NEW, terms)
    assert settles_at(NEW, terms) + retention < topic_until(NEW, terms)
