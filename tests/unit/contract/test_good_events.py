"""What goes in comes out: an accepted event's message says what the client said, in one exact form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.events import Event, TimeWindow, accept, event_decoder, format_value
from neonblue.contract.identifiers import canonical_uuid, uuid7, uuid7_milliseconds
from neonblue.contract.instants import format_instant, parse_instant
from neonblue.contract.messages import EventMessage
from neonblue.contract.requests import EventRequest
from neonblue.contract.violation import Violation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = TimeWindow.at(NOW, timedelta(days=90), timedelta(minutes=5))
DECODER = event_decoder()
PLACES = Decimal("0.000001")


def read_one(body: bytes) -> Event:
    (item,) = DECODER.decode(body).items
    assert isinstance(item, EventRequest), item
    event = accept(item, WINDOW, lambda _: None)
    assert isinstance(event, Event), event
    return event


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=256)
numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(1e-29, 1e29), st.floats(-1e29, -1e-29), st.just(0.0)
)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(characters, max_size=20))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
properties = st.none() | st.dictionaries(st.text(characters, max_size=8), values, max_size=5)
times = st.timedeltas(timedelta(days=-89), timedelta(hours=-1)).flatmap(
    lambda ago: st.timezones(no_cache=True).map(lambda zone: (NOW + ago).astimezone(zone))
)


@given(
    user=keys,
    kind=keys,
    session=st.none() | keys,
    moment=times,
    value=st.none() | st.decimals(-(10**11), 10**11, places=6),
    held=properties,
    ascii_only=st.booleans(),
)
def test_round_trip(
    user: str,
    kind: str,
    session: str | None,
    moment: datetime,
    value: Decimal | None,
    held: dict[str, Any] | None,
    ascii_only: bool,
) -> None:
    sent = {
        "id": uuid7(int(NOW.timestamp() * 1000)),
        "user_id": user,
        "event_type": kind,
        "session_id": session,
        "timestamp": moment.isoformat(),
        "value": None if value is None else str(value),
        "properties": held,
    }

    event = read_one(json.dumps(sent, ensure_ascii=ascii_only).encode())
    message = msgspec.json.decode(event.message("2026-03-01T12:00:00.000000Z"), type=EventMessage)

    assert (message.id, message.user_id, message.event_type) == (sent["id"], user, kind)
    assert message.session_id == session
    assert parse_instant(message.timestamp) == moment
    assert (None if message.value is None else Decimal(message.value)) == value
    assert message.properties == held
    assert (message.schema_version, message.unit_type, message.experiment_id) == (1, "user", None)


def test_the_trace_of_its_request_is_in_a_message_where_there_is_one_and_changes_nothing_else() -> None:
    event = read_one(b'{"user_id":"u","event_type":"v"}')
    plain = json.loads(event.message("2026-03-01T12:00:00.000000Z"))
    event.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced = json.loads(event.message("2026-03-01T12:00:00.000000Z"))

    assert "traceparent" not in plain
    assert traced == plain | {"traceparent": event.traceparent}


@given(st.decimals(-(10**11), 10**11, allow_nan=False, allow_infinity=False))
def test_values_are_rounded_half_to_even_to_six_places(value: Decimal) -> None:
    text = format_value(value)
    assert Decimal(text) == value.quantize(PLACES, ROUND_HALF_EVEN)
    assert len(text.partition(".")[2]) == 6
    assert not (text.startswith("-") and Decimal(text) == 0)


@pytest.mark.parametrize(
    ("given_value", "stored"),
    [(b"12.34", "12.340000"), (b"0.30000000000000004", "0.300000"), (b'"12.34"', "12.340000"), (b"-0.0", "0.000000"),
     (b"-0.0000001", "0.000000"), (b"999999999999.999999", "999999999999.999999"), (b"1e3", "1000.000000")],
)  # fmt: skip
def test_values_are_exact(given_value: bytes, stored: str) -> None:
    assert read_one(b'{"user_id":"u","event_type":"v","value":' + given_value + b"}").value == stored


def test_a_uuid7_gives_day_and_time() -> None:
    before_midnight = datetime(2026, 2, 27, 23, 59, 59, 999000, tzinfo=UTC)
    identifier = uuid7(int(before_midnight.timestamp() * 1000))
    event = read_one(json.dumps({"id": identifier, "user_id": "u", "event_type": "v"}).encode())
    assert (event.day, event.timestamp) == ("2026-02-27", "2026-02-27T23:59:59.999000Z")


def test_the_day_is_the_ids_also_where_the_time_is_of_another() -> None:
    before_midnight = datetime(2026, 2, 27, 23, 59, 59, tzinfo=UTC)
    sent = {
        "id": uuid7(int(before_midnight.timestamp() * 1000)),
        "user_id": "u",
        "event_type": "v",
        "timestamp": "2026-02-28T00:00:01Z",
    }
    assert read_one(json.dumps(sent).encode()).day == "2026-02-27"


def test_any_other_uuid_takes_the_day_of_its_time_in_utc() -> None:
    sent = {
        "id": "6BA7B810-9DAD-41D1-80B4-00C04FD430C8",
        "user_id": "u",
        "event_type": "v",
        "timestamp": "2026-02-28T00:30:00+02:00",
    }
    event = read_one(json.dumps(sent).encode())
    assert (event.id, event.day) == ("6ba7b810-9dad-41d1-80b4-00c04fd430c8", "2026-02-27")


def test_without_an_id_one_is_made() -> None:
    first, second = (read_one(b'{"user_id":"u","event_type":"v"}') for _ in range(2))
    assert first.id != second.id
    assert uuid7_milliseconds(first.id) is not None
    assert first.timestamp == format_instant(NOW)


@given(st.integers(0, 2**48 - 1))
def test_a_uuid7_carries_its_time(milliseconds: int) -> None:
    identifier = uuid7(milliseconds)
    assert uuid7_milliseconds(identifier) == milliseconds
    assert canonical_uuid(identifier) == identifier


def test_imported_history_may_be_of_any_age() -> None:
    class External:
        experiment_id, external, variant_keys = 4, True, frozenset({"a"})

    request = msgspec.json.decode(
        b'{"user_id":"u","event_type":"v","experiment":"e","timestamp":"1970-01-01T00:00:00Z",'
        b'"id":"6ba7b810-9dad-51d1-80b4-00c04fd430c8"}',
        type=EventRequest,
    )
    event = accept(request, WINDOW, lambda _: External())
    assert isinstance(event, Event)
    assert (event.day, event.experiment_id) == ("1970-01-01", 4)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_item_makes_the_decoder_fail(noise: bytes) -> None:
    body = b'{"user_id":"u","event_type":"v"}\n' + noise.replace(b"\n", b" ")
    first, *rest = DECODER.decode(body, lines=True).items
    assert isinstance(first, EventRequest)
    assert all(isinstance(item, EventRequest | Violation) for item in rest)
