"""A request repeated with its Idempotency-Key is answered as the first was, however the clock went meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from api.events.idempotency import Replay, ReplayKind, recorded, replayed
from api.events.repository import Fate
from api.events.service import EventService, Retryable
from api.events.writer import EventJob, EventResult
from api.fairness import LARGE_BODY
from api.http.problems import Problem
from neonblue.contract.answers import EventsAnswer
from neonblue.contract.identifiers import uuid7

HOUR = timedelta(hours=1)
KEY = Retryable(7, "key")
Json = dict[str, Any]


class Store:
    """As the store behind the queue: it keeps ids, and what each key was answered."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.answers: dict[tuple[int, str], tuple[bytes, bytes]] = {}

    async def submit(self, job: EventJob) -> EventResult:
        claim = job.claim
        if claim is not None and (kept := self.answers.get((claim.token_id, claim.key))) is not None:
            digest, answer = kept
            return replayed(answer) if digest == claim.request_hash else Replay(ReplayKind.OTHER_REQUEST)
        fates = [Fate.DUPLICATE if event.id in self.ids else Fate.ACCEPTED for event in job.events]
        self.ids += [event.id for event in job.events if event.id not in self.ids]
        if claim is not None and claim.ids:
            answer = recorded(claim, [fate.value for fate in fates])
            self.answers[claim.token_id, claim.key] = claim.request_hash, answer
        return fates


class Unknown:
    """No experiment is known."""

    def find(self, name: int | str) -> None:
        return None

    async def confirm(self) -> None:
        return None


def service(store: Store) -> EventService:
    return EventService(
        cast("Any", store),
        cast("Any", Unknown()),
        timedelta(days=90),
        timedelta(minutes=5),
        lambda user: user,
    )


def event(at: datetime, **fields: object) -> Json:
    base = {"id": uuid7(int(at.timestamp() * 1000)), "timestamp": at.isoformat()}
    return {"user_id": "u", "event_type": "buy"} | base | fields


def written(events: Sequence[Json], lines: bool) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in events) if lines else json.dumps(events).encode()


def send(
    store: Store, body: bytes, sent_at: datetime | None, *, lines: bool = False, key: Retryable = KEY
) -> EventsAnswer:
    said = None if sent_at is None else sent_at.isoformat()
    return asyncio.run(service(store).store(body, lines=lines, retryable=key, sent_at=said))


def plain(answer: EventsAnswer) -> Any:
    return msgspec.to_builtins(answer)


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("ahead", [3 * HOUR, -3 * HOUR])
def test_a_clock_that_was_set_meanwhile_changes_no_answer(lines: bool, ahead: timedelta) -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now + ahead), event(now + ahead + HOUR / 60)], lines)
    first = send(store, body, now + ahead, lines=lines)
    again = send(store, body, now, lines=lines)
    assert (first.accepted, first.rejected) == (2, 0)
    assert plain(again) == plain(first)
    assert len(store.ids) == 2


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    ("said", "at"),
    [
        pytest.param(3 * HOUR, 3 * HOUR, id="ahead"),
        pytest.param(-3 * HOUR, -timedelta(days=90) - 2 * HOUR, id="behind"),
    ],
)
def test_what_the_second_clock_puts_outside_the_window_is_stored_all_the_same(
    said: timedelta, at: timedelta, lines: bool
) -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now + said), event(now + at)], lines)
    first = send(store, body, now + said, lines=lines)
    assert {item.status for item in first.items} == {"accepted"}
    for repeated in (now, None):
        assert plain(send(store, body, repeated, lines=lines)) == plain(first)


def test_what_the_first_clock_put_outside_stays_so() -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now), event(now + HOUR), {"user_id": "u"}, event(now)], lines=False)
    first = send(store, body, now)
    assert [item.status for item in first.items] == ["accepted", "rejected", "rejected", "accepted"]
    again = send(store, body, now + HOUR)
    assert plain(again) == plain(first)


def test_ids_that_were_made_for_the_first_are_told_again() -> None:
    store, now = Store(), datetime.now(UTC)
    at = (now + 3 * HOUR).isoformat()
    body = written([{"user_id": "u", "event_type": "buy", "timestamp": at}], lines=False)
    first = send(store, body, now + 3 * HOUR)
    again = send(store, body, now)
    assert first.items[0].id is not None
    assert plain(again) == plain(first)
    assert store.ids == [first.items[0].id]


def test_a_large_body_with_a_faulty_item_is_the_same_request_too() -> None:
    store, now = Store(), datetime.now(UTC)
    many = [event(now + 3 * HOUR, properties={"x": "x" * 1000}) for _ in range(LARGE_BODY // 1000 + 1)]
    body = written([*many, {"user_id": 5}], lines=False)
    first = send(store, body, now + 3 * HOUR)
    assert (first.accepted, first.rejected) == (len(many), 1)
    assert plain(send(store, body, now)) == plain(first)


def test_the_key_of_a_request_that_stored_nothing_is_free() -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now + 3 * HOUR)], lines=False)
    assert send(store, body, now).rejected == 1
    assert send(store, body, now + 3 * HOUR).accepted == 1


def test_another_request_with_the_key_is_told_so_whatever_became_of_its_items() -> None:
    store, now = Store(), datetime.now(UTC)
    send(store, written([event(now)], lines=False), now)
    for other in (event(now), event(now + HOUR)):
        with pytest.raises(Problem) as told:
            send(store, written([other], lines=False), now)
        assert told.value.code == "idempotency_key_reused"


def test_the_same_request_under_another_key_finds_its_events_stored() -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now)], lines=False)
    send(store, body, now)
    assert send(store, body, now - HOUR / 60, key=Retryable(7, "other")).duplicates == 1


@pytest.mark.parametrize("faulty", [False, True])
def test_answers_of_the_version_before_are_told_again(faulty: bool) -> None:
    store, now = Store(), datetime.now(UTC)
    body = written([event(now), *([{"user_id": "u"}] if faulty else [])], lines=False)
    first = send(store, body, now)
    digest, answer = store.answers[KEY.token_id, KEY.key]
    older = {name: kept for name, kept in json.loads(answer).items() if name != "rejected"}
    store.answers[KEY.token_id, KEY.key] = digest, json.dumps(older).encode()
    assert plain(send(store, body, now)) == plain(first)
    if not faulty:
        assert plain(send(store, body, now - timedelta(days=91))) == plain(first)
