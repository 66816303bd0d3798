"""Every kind of bad event is told by code and field, and leaves the good ones of its request whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from neonblue.contract.codes import Code
from neonblue.contract.events import Event, TimeWindow, accept, event_decoder
from neonblue.contract.identifiers import uuid7
from neonblue.contract.limits import EVENT_BYTES, NESTING_DEPTH, REQUEST_ITEMS
from neonblue.contract.violation import ContractError, Violation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = TimeWindow.at(NOW, timedelta(days=90), timedelta(minutes=5))
MILLISECONDS = int(NOW.timestamp() * 1000)
GOOD = b'{"user_id":"u","event_type":"visit","timestamp":"2026-03-01T11:00:00Z"}'
DECODER = event_decoder()


class Experiment:
    """An experiment as the rules see it."""

    def __init__(self, experiment_id: int, *, external: bool) -> None:
        self.experiment_id = experiment_id
        self.external = external
        self.variant_keys = frozenset({"a", "b"})


INTERNAL, EXTERNAL = Experiment(1, external=False), Experiment(2, external=True)
EXPERIMENTS: dict[int | str, Experiment] = {1: INTERNAL, "one": INTERNAL, 2: EXTERNAL, "two": EXTERNAL}


def read(body: bytes, *, lines: bool = False) -> list[Event | Violation]:
    return [
        item if isinstance(item, Violation) else accept(item, WINDOW, EXPERIMENTS.get)
        for item in DECODER.decode(body, lines=lines).items
    ]


def event(**fields: object) -> bytes:
    base = {"user_id": "u", "event_type": "visit", "timestamp": "2026-03-01T11:00:00Z"}
    return json.dumps({k: v for k, v in (base | fields).items() if v is not None}).encode()


def nested(levels: int) -> bytes:
    return b'{"user_id":"u","event_type":"v","properties":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


BAD: dict[str, tuple[bytes, Code, str | None]] = {
    "number": (b"5", Code.WRONG_TYPE, None),
    "text": (b'"x"', Code.WRONG_TYPE, None),
    "null": (b"null", Code.WRONG_TYPE, None),
    "array": (b"[1,[2],{}]", Code.WRONG_TYPE, None),
    "broken": (b'{"user_id":x}', Code.NOT_JSON, None),
    "nan": (b'{"user_id":"u","event_type":"v","value":NaN}', Code.NOT_JSON, None),
    "no user": (event(user_id=None), Code.MISSING_FIELD, "user_id"),
    "no type": (event(event_type=None), Code.MISSING_FIELD, "event_type"),
    "empty user": (event(user_id=""), Code.TOO_SHORT, "user_id"),
    "long user": (event(user_id="x" * 257), Code.TOO_LONG, "user_id"),
    "long session": (event(session_id="é" * 257), Code.TOO_LONG, "session_id"),
    "number as user": (event(user_id=5), Code.WRONG_TYPE, "user_id"),
    "unknown field": (event(colour="red"), Code.UNKNOWN_FIELD, "colour"),
    "unknown field beside a known one": (event(userid="x"), Code.UNKNOWN_FIELD, "userid"),
    "duplicate key": (b'{"user_id":"u","user_id":"w","event_type":"v"}', Code.DUPLICATE_KEY, "user_id"),
    "duplicate key, spaced": (b'{"user_id" : "u", "user_id" : "w","event_type":"v"}', Code.DUPLICATE_KEY, "user_id"),
    "duplicate property": (
        b'{"user_id":"u","event_type":"v","properties":{"a":{"b":1,"b":2}}}',
        Code.DUPLICATE_KEY,
        "b",
    ),
    "duplicate key beside a colon in a text": (
        b'{"user_id":"a\\":b","user_id":"w","event_type":"v"}',
        Code.DUPLICATE_KEY,
        "user_id",
    ),
    "duplicate key and a huge number": (
        b'{"user_id":"u","user_id":"w","event_type":"v","value":' + b"9" * 5000 + b"}",
        Code.DUPLICATE_KEY,
        "user_id",
    ),
    "nul in user": (event(user_id="a\x00"), Code.NUL_CHARACTER, "user_id"),
    "nul in property": (event(properties={"a": ["x\x00"]}), Code.NUL_CHARACTER, "properties"),
    "nul in property key": (event(properties={"a": {"x\x00": 1}}), Code.NUL_CHARACTER, "properties"),
    "raw nul": (b'{"user_id":"a\x00","event_type":"v"}', Code.NOT_JSON, None),
    "newline in user": (event(user_id="a\nb"), Code.CONTROL_CHARACTER, "user_id"),
    "tab in type": (event(event_type="a\tb"), Code.CONTROL_CHARACTER, "event_type"),
    "escape in session": (event(session_id="\x1b"), Code.CONTROL_CHARACTER, "session_id"),
    "lone high surrogate": (b'{"user_id":"\\ud800","event_type":"v"}', Code.LONE_SURROGATE, None),
    "lone high surrogate before text": (b'{"user_id":"\\ud800abcdefgh","event_type":"v"}', Code.LONE_SURROGATE, None),
    "lone low surrogate": (b'{"user_id":"\\udc00abcdefgh","event_type":"v"}', Code.LONE_SURROGATE, None),
    "surrogate in property": (
        b'{"user_id":"u","event_type":"v","properties":{"a":"\\udead"}}',
        Code.LONE_SURROGATE,
        None,
    ),
    "raw surrogate": (b'{"user_id":"\xed\xa0\x80","event_type":"v"}', Code.NOT_UTF8, None),
    "latin-1": (b'{"user_id":"\xe9","event_type":"v"}', Code.NOT_UTF8, None),
    "property past 64 bits": (event(properties={"a": 2**63}), Code.VALUE_OUT_OF_RANGE, "properties"),
    "property below 64 bits": (event(properties={"a": [-(2**63) - 1]}), Code.VALUE_OUT_OF_RANGE, "properties"),
    "property of 1e400": (
        b'{"user_id":"u","event_type":"v","properties":{"a":1e400}}',
        Code.VALUE_OUT_OF_RANGE,
        "properties[...]",
    ),
    "property of 1e300": (event(properties={"a": 1e300}), Code.VALUE_OUT_OF_RANGE, "properties"),
    "property of 1e-300": (event(properties={"a": 1e-300}), Code.VALUE_OUT_OF_RANGE, "properties"),
    "properties an array": (event(properties=[1]), Code.WRONG_TYPE, "properties"),
    "deep": (nested(NESTING_DEPTH + 1), Code.TOO_DEEP, "properties"),
    "very deep": (nested(20_000), Code.TOO_DEEP, None),
    "large": (event(properties={"a": "x" * EVENT_BYTES}), Code.TOO_LARGE, "properties"),
    "value of 1e400": (b'{"user_id":"u","event_type":"v","value":1e400}', Code.VALUE_OUT_OF_RANGE, "value"),
    "value of many digits": (
        b'{"user_id":"u","event_type":"v","value":' + b"9" * 5000 + b"}",
        Code.VALUE_OUT_OF_RANGE,
        "value",
    ),
    "value of 13 digits": (event(value="1000000000000"), Code.VALUE_OUT_OF_RANGE, "value"),
    "value that rounds to 13 digits": (event(value="999999999999.9999999"), Code.VALUE_OUT_OF_RANGE, "value"),
    "value infinite": (event(value="-Infinity"), Code.VALUE_OUT_OF_RANGE, "value"),
    "value nan": (event(value="sNaN"), Code.VALUE_OUT_OF_RANGE, "value"),
    "value a word": (event(value="ten"), Code.INVALID_DECIMAL, "value"),
    "value a boolean": (event(value=True), Code.WRONG_TYPE, "value"),
    "id no uuid": (event(id="x"), Code.INVALID_UUID, "id"),
    "id empty": (event(id=""), Code.INVALID_UUID, "id"),
    "id old": (event(id=uuid7(MILLISECONDS - 91 * 86_400_000)), Code.TOO_OLD, "id"),
    "id ahead": (event(id=uuid7(MILLISECONDS + 600_000)), Code.IN_FUTURE, "id"),
    "id far ahead": (event(id=uuid7(2**48 - 1)), Code.IN_FUTURE, "id"),
    "id without time": (
        event(id="6ba7b810-9dad-41d1-80b4-00c04fd430c8", timestamp=None),
        Code.TIMESTAMP_REQUIRED,
        "timestamp",
    ),
    "time without zone": (event(timestamp="2026-03-01T11:00:00"), Code.INVALID_TIMESTAMP, "timestamp"),
    "time a word": (event(timestamp="now"), Code.INVALID_TIMESTAMP, "timestamp"),
    "time a number": (event(timestamp=1), Code.WRONG_TYPE, "timestamp"),
    "31 February": (event(timestamp="2026-02-31T11:00:00Z"), Code.INVALID_TIMESTAMP, "timestamp"),
    "time old": (event(timestamp="2025-11-30T11:59:59Z"), Code.TOO_OLD, "timestamp"),
    "time ahead": (event(timestamp="2026-03-01T12:05:00.000001Z"), Code.IN_FUTURE, "timestamp"),
    "year 1": (event(timestamp="0001-01-01T00:00:00+14:00"), Code.TOO_OLD, "timestamp"),
    "year 9999": (event(timestamp="9999-12-31T23:59:59-14:00"), Code.IN_FUTURE, "timestamp"),
    "import before 1970": (event(timestamp="1969-12-31T23:59:59Z", experiment="two"), Code.TOO_OLD, "timestamp"),
    "experiment unknown": (event(experiment="none"), Code.UNKNOWN_EXPERIMENT, "experiment"),
    "experiment id unknown": (event(experiment_id=9), Code.UNKNOWN_EXPERIMENT, "experiment_id"),
    "experiment id zero": (event(experiment_id=0), Code.VALUE_OUT_OF_RANGE, "experiment_id"),
    "experiment id large": (event(experiment_id=2**31), Code.VALUE_OUT_OF_RANGE, "experiment_id"),
    "experiment id huge": (event(experiment_id=2**64), Code.VALUE_OUT_OF_RANGE, "experiment_id"),
    "experiment id a text": (event(experiment_id="1"), Code.WRONG_TYPE, "experiment_id"),
    "experiments differ": (event(experiment_id=1, experiment="two"), Code.EXPERIMENT_MISMATCH, "experiment"),
    "variant unknown": (event(experiment="one", variant_key="z"), Code.UNKNOWN_VARIANT, "variant_key"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
def test_a_bad_item_is_named_and_its_neighbours_are_kept(name: str, lines: bool) -> None:
    item, code, field = BAD[name]
    body = b"\n".join([GOOD, item, GOOD]) if lines else b"[" + b" , ".join([GOOD, item, GOOD]) + b"]"

    first, refused, last = read(body, lines=lines)

    assert isinstance(refused, Violation), refused
    assert (refused.code, refused.field) == (code, field)
    assert isinstance(first, Event)
    assert isinstance(last, Event)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.EMPTY),
        (b" \n\t", Code.EMPTY),
        (b"[]", Code.EMPTY),
        (b"[ ]", Code.EMPTY),
        (b"7", Code.NOT_JSON),
        (b"null", Code.NOT_JSON),
        (b"\xef\xbb\xbf[]", Code.NOT_JSON),
        (b"[" + GOOD, Code.NOT_JSON),
        (b"[" + GOOD + b"}", Code.NOT_JSON),
        (b"[" + GOOD + b"] x", Code.NOT_JSON),
        (b'["' + b'\\"' * 400_000, Code.NOT_JSON),
        (b"[" * 1_000_000, Code.NOT_JSON),
        (b"[" + b",".join([GOOD] * (REQUEST_ITEMS + 1)) + b"]", Code.TOO_MANY_ITEMS),
        (b"[" + b"," * 100_000 + b"]", Code.TOO_MANY_ITEMS),
    ],
)
def test_a_body_that_cannot_be_taken_apart_is_refused_whole(body: bytes, code: Code) -> None:
    with pytest.raises(ContractError) as refused:
        DECODER.decode(body)
    assert refused.value.violation.code is code


def test_too_many_lines_are_refused_whole() -> None:
    with pytest.raises(ContractError) as refused:
        DECODER.decode(b"\n".join([GOOD] * (REQUEST_ITEMS + 1)), lines=True)
    assert refused.value.violation.code is Code.TOO_MANY_ITEMS


def test_a_line_is_one_item_whatever_joining_lines_would_mean() -> None:
    body = b"\n".join(
        [GOOD + b"," + GOOD, b'{"user_id":"u","properties":{"a":[1', b'2]},"event_type":"v"}', GOOD]
    )
    items = read(body, lines=True)
    assert [isinstance(item, Event) for item in items] == [False, False, False, True]


def test_the_largest_allowed_request_is_accepted() -> None:
    assert all(isinstance(item, Event) for item in read(b"[" + b",".join([GOOD] * REQUEST_ITEMS) + b"]"))


def test_a_lone_key_twice_among_many_events_is_found() -> None:
    twice = b'{"user_id":"u","event_type":"v","properties":{"a":1,"a":2}}'
    items = read(b"[" + b",".join([GOOD] * 500 + [twice] + [GOOD] * 499) + b"]")
    assert [n for n, item in enumerate(items) if isinstance(item, Violation)] == [500]
