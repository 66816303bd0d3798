"""When an erasure's next attempt is due, and how a person is found in unreadable messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from api.erasures.clickhouse import _naming
from api.erasures.model import Erasure, Terms
from api.erasures.worker import _rested
from api.users.repository import Person

TERMS = Terms(timedelta(seconds=60), timedelta(days=7), timedelta(days=7))
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Erasure(uuid4(), "user", "ada", b"x" * 32, AT, attempts=1)


def test_until_the_stream_brings_it_clickhouse_is_asked_more_and_more_seldom() -> None:
    waits = []
    for attempts in range(1, 12):
        _, wait = _rested(replace(NEW, attempts=attempts, settled_at=AT), TERMS, AT)
        assert wait is not None
        waits.append(wait.total_seconds())
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 60)


def test_when_it_has_arrived_the_next_attempt_is_when_it_can_be_clear() -> None:
    arrived = replace(NEW, settled_at=AT, arrived_at=AT + timedelta(seconds=5))
    assert _rested(arrived, TERMS, AT + timedelta(seconds=6)) == (arrived, timedelta(seconds=59))


def test_what_stood_in_the_way_is_tried_again_soon() -> None:
    failed = replace(NEW, arrived_at=AT, problem="Valkey: ConnectionError")
    _, wait = _rested(failed, TERMS, AT)
    assert wait == timedelta(seconds=2)


def test_a_clock_that_went_back_by_hours_does_not_keep_it_waiting_for_hours() -> None:
    ahead = replace(NEW, erased_at=AT + timedelta(hours=5), arrived_at=AT)
    _, wait = _rested(ahead, TERMS, AT)
    assert wait is not None
    assert wait <= timedelta(minutes=2)


def test_when_nothing_is_left_to_remove_the_id_is_forgotten() -> None:
    done = replace(NEW, arrived_at=AT, settled_at=AT, cleared_at=AT)
    assert _rested(done, TERMS, AT) == (replace(done, user_id=None), None)


@given(st.text(min_size=1, max_size=20))
def test_a_person_is_found_in_a_message_and_in_a_message_within_one(user_id: str) -> None:
    pattern = re.compile(_naming(Person("user", user_id)))
    element = json.dumps({"user_id": user_id, "value": "x"})
    plain = json.dumps({"user_id": user_id}, ensure_ascii=False, separators=(",", ":"))
    for message in (element, plain, json.dumps({"payload": element}), json.dumps({"payload": plain})):
        assert pattern.search(message)
    assert not pattern.search(json.dumps({"user_id": user_id + "x", "other": user_id}))
