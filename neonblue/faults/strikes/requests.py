"""What clients and producers can send that is repeated, altered, or poison."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from confluent_kafka import Producer

from neonblue.clickhouse.client import connect as clickhouse
from neonblue.faults.load import event_id
from neonblue.faults.plan import Fault
from neonblue.faults.strikes.context import PATIENCE_SECONDS, Context, Healed, StrikeError, at_once

_OWNER = "person-who-repeats"
_OFTEN = 5
_BUSY = frozenset({429, 503})
_SEND_SECONDS = 15.0
_POISON_SECONDS = 10.0


def repeats(context: Context, _fault: Fault) -> Healed:
    """The same ids, the same Idempotency-Key, and both again with other content."""
    with context.stack.client(10) as http:
        event = _event()
        one = event["id"]
        context.notes.sending([one], _OWNER)
        for _ in range(_OFTEN):
            if _expect(context, http, [event], None, {200}, "the same event again") is not None:
                context.notes.acknowledge([one], time.monotonic())
        altered = _expect(
            context, http, [event | {"value": "2"}], None, {200, 422}, "an id with another value"
        )
        if _statuses(altered) != ["rejected"]:
            context.notes.wrong.append(f"an id with another value was not rejected: {_text(altered)}")
        key = f"repeats-{one}"
        context.notes.keys[key] = 1
        keyed = {"user_id": _OWNER, "event_type": "keyed", "session_id": key}
        ids = {
            tuple(_ids(_expect(context, http, [keyed], key, {200}, "the same key again")))
            for _ in range(_OFTEN)
        }
        if len(ids) != 1:
            context.notes.wrong.append(
                f"{key}: its repetitions were answered with {len(ids)} different lists of ids"
            )
        _expect(context, http, [keyed | {"event_type": "other"}], key, {422}, "a key with another request")
    return at_once


def poison_requests(context: Context, _: Fault) -> Healed:
    """Each must be refused with a sentence, and stop nothing."""
    with context.stack.client(20) as http:
        for name, body, headers in _poison():
            call = partial(http.post, "/v1/events", content=body, headers=headers)
            answer = _ask(context, call, _POISON_SECONDS)
            if answer is not None and not 400 <= answer.status_code < 500:
                context.notes.wrong.append(f"{name} was answered {answer.status_code}: {answer.text[:200]}")
    return at_once


def _poison() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    as_json = {"Content-Type": "application/json"}
    good = json.dumps(_event()).encode()
    yield "no JSON", b'[{"user_id": ', as_json
    yield "no UTF-8", good.replace(_OWNER.encode(), b"\xff\xfe\xc0"), as_json
    yield "a NUL", b'[{"user_id": "a\\u0000b", "event_type": "x"}]', as_json
    yield "unknown fields", json.dumps([_event() | {"unheard_of": 1}]).encode(), as_json
    yield "a wrong type", json.dumps([_event() | {"user_id": {"a": [1]}}]).encode(), as_json
    yield (
        "a number of a thousand digits",
        b'[{"user_id":"a","event_type":"x","value":' + b"9" * 1_000 + b"}]",
        as_json,
    )
    yield "too deep", b"[" * 100_000 + b"]" * 100_000, as_json
    yield "too many events", json.dumps([{"user_id": "a", "event_type": "x"}] * 1_001).encode(), as_json
    yield "an event too large", json.dumps([_event() | {"properties": {"a": "x" * 80_000}}]).encode(), as_json
    yield "a body too large", b"[" + b" " * (12 * 1024 * 1024) + b"]", as_json
    bomb = gzip.compress(b"[" + b" " * (64 * 1024 * 1024) + b"]")
    yield "a compressed bomb", bomb, as_json | {"Content-Encoding": "gzip"}
    yield "another type of content", good, {"Content-Type": "text/plain"}


@dataclass(slots=True)
class _Delivery:
    errors: list[str] = field(default_factory=list)

    def __call__(self, error: object, _: object) -> None:
        if error is not None:
            self.errors.append(str(error))


def poison_messages(context: Context, _: Fault) -> Healed:
    """Directly onto the topic, as Connect. Each must become a dead letter, and stop nothing."""
    before = _dead_letters(context)
    producer = Producer(
        context.settings.kafka.client("connect")
        | {"log_level": 0, "message.max.bytes": 4 * 1024 * 1024, "message.timeout.ms": 10_000}
    )
    delivery, sent = _Delivery(), list(_messages())
    for message in sent:
        producer.produce(context.settings.kafka.topic, value=message, on_delivery=delivery)
    left = producer.flush(_SEND_SECONDS)
    if left or delivery.errors:
        raise StrikeError(f"Kafka did not take {left} messages: {', '.join(delivery.errors[:3])}")
    return lambda: _dead_letters(context) > before


def _messages() -> Iterator[bytes | None]:
    yield None
    yield b""
    yield b"no JSON"
    yield b"\xff\xfe\xc0 no UTF-8"
    yield b"[]"
    yield b"42"
    yield b'"text"'
    yield b"{" * 10_000
    yield b'{"op":"c","after":' + b"[" * 50_000
    yield json.dumps({"op": "c", "after": {}}).encode()
    for kind, name, payload in (
        ("unheard_of", "NOTHING", "{}"),
        ("event", "EVENT_CREATED", "no JSON"),
        ("event", "EVENT_CREATED", '{"schema_version": 99}'),
        ("event_batch", "EVENTS_CREATED", '[{"schema_version": 1, "id": 7}, null, [], "x"]'),
        ("assignment", "ASSIGNMENT_CREATED", "[]"),
        ("experiment", "EXPERIMENT_CHANGED", '{"experiment": "\\ud800"}'),
        ("user", "USER_ERASED", "{}"),
        ("user_link", "USER_LINKED", "null"),
        ("event", "EVENT_CREATED", "x" * (3 * 1024 * 1024)),
    ):
        row = {"aggregate_type": kind, "event_type": name, "payload": payload}
        yield json.dumps({"op": "c", "ts_ms": 1, "source": {"table": "outbox_events"}, "after": row}).encode()


def _dead_letters(context: Context) -> int:
    with clickhouse(context.settings.clickhouse) as client:
        return int(client.query("SELECT count() FROM dead_letters FINAL").result_rows[0][0])


def _event() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": event_id(now),
        "user_id": _OWNER,
        "event_type": "repeated",
        "timestamp": now.isoformat(),
        "value": "1",
    }


def _expect(
    context: Context, http: httpx.Client, body: object, key: str | None, statuses: set[int], what: str
) -> httpx.Response | None:
    """Ask until there is an answer; note one of another status."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = _ask(context, partial(http.post, "/v1/events", json=body, headers=headers), PATIENCE_SECONDS)
    if answer is not None and answer.status_code not in statuses:
        context.notes.wrong.append(f"{what} was answered {answer.status_code}: {answer.text[:200]}")
    return answer


def _ask(context: Context, call: Callable[[], httpx.Response], seconds: float) -> httpx.Response | None:
    """The answer; None where there was none in time."""
    found: list[httpx.Response] = []

    def answered() -> bool:
        try:
            answer = call()
        except httpx.HTTPError:
            return False
        if answer.status_code in _BUSY:
            return False
        found.append(answer)
        return True

    context.hold(seconds, answered)
    return found[0] if found else None


def _statuses(answer: httpx.Response | None) -> list[str]:
    return ["rejected"] if answer is None else [item["status"] for item in answer.json().get("items", [])]


def _ids(answer: httpx.Response | None) -> list[str]:
    return [] if answer is None or not answer.is_success else [item["id"] for item in answer.json()["items"]]


def _text(answer: httpx.Response | None) -> str:
    return "" if answer is None else answer.text[:200]
