"""Times of a client whose clock is wrong are corrected by the measured distance, within a second and a day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.clocks import FARTHEST, ON_THE_WAY, Clock, clock_of
from neonblue.contract.codes import Code
from neonblue.contract.events import Event, TimeWindow, accept, event_decoder
from neonblue.contract.identifiers import uuid7
from neonblue.contract.instants import EPOCH, format_instant, parse_instant
from neonblue.contract.violation import ContractError, Violation
from neonblue.files import Folder, folder
from tests.unit.contract.test_bad_events import EXPERIMENTS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = TimeWindow.at(NOW, timedelta(days=90), timedelta(minutes=5))
DECODER = event_decoder()
SECOND = timedelta(seconds=1)
offsets = st.timedeltas(-FARTHEST, FARTHEST)


def read(clock: Clock | None, **fields: object) -> Event | Violation:
    body = json.dumps({"user_id": "u", "event_type": "purchase"} | fields).encode()
    return accept(DECODER.decode(body).items[0], WINDOW, EXPERIMENTS.get, clock)  # type: ignore[arg-type]


def stored(clock: Clock | None, **fields: object) -> Event:
    event = read(clock, **fields)
    assert isinstance(event, Event), event
    return event


@given(offset=offsets, age=st.timedeltas(timedelta(0), timedelta(days=88)))
def test_what_a_wrong_clock_stamped_is_stored_as_the_right_one_would_have(
    offset: timedelta, age: timedelta
) -> None:
    wrong = NOW - offset
    clock = clock_of(wrong.isoformat(), NOW)
    event = stored(
        clock, timestamp=(wrong - age).isoformat(), id=uuid7(int((wrong - age).timestamp() * 1000))
    )

    corrected = abs(offset) > ON_THE_WAY
    assert parse_instant(event.timestamp) == (NOW - age if corrected else wrong - age)
    assert event.clock_offset == (offset // timedelta(microseconds=1) if corrected else 0)
    assert event.sent_at == format_instant(wrong)
    assert event.day == (wrong - age).date().isoformat()


def test_a_conversion_two_seconds_before_the_servers_exposure_is_after_it() -> None:
    behind = NOW - 2 * SECOND
    event = stored(clock_of(behind.isoformat(), NOW), timestamp=behind.isoformat())
    assert event.timestamp == format_instant(NOW)


@pytest.mark.parametrize("distance", [timedelta(0), SECOND, -SECOND, SECOND / 2])
def test_what_the_way_explains_is_not_corrected(distance: timedelta) -> None:
    event = stored(clock_of((NOW - distance).isoformat(), NOW), timestamp="2026-03-01T11:00:00Z")
    assert (event.timestamp, event.clock_offset) == ("2026-03-01T11:00:00.000000Z", 0)


@pytest.mark.parametrize(
    "sent_at", [NOW - FARTHEST - SECOND, NOW + FARTHEST + SECOND, EPOCH, datetime(2199, 12, 31, tzinfo=UTC)]
)
def test_a_clock_that_is_too_far_away_changes_nothing(sent_at: datetime) -> None:
    clock = clock_of(sent_at.isoformat(), NOW)
    event = stored(clock, timestamp="2026-03-01T11:00:00Z")
    assert clock.too_far
    assert (event.timestamp, event.clock_offset) == ("2026-03-01T11:00:00.000000Z", 0)
    assert event.sent_at == format_instant(sent_at)


@pytest.mark.parametrize(
    "header",
    ["", "now", "5", "2026-03-01T09:30:00", "2026-03-01", "0001-01-01T00:00:00+23:59", "2200-01-01T00:00:00Z",
     "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-03-01T09:30:00Z\t", "é" * 5000],
)  # fmt: skip
def test_a_time_of_sending_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(ContractError) as refused:
        clock_of(header, NOW)
    assert (refused.value.violation.code, refused.value.violation.field) == (
        Code.INVALID_TIMESTAMP,
        "sent-at",
    )


def test_without_a_time_of_sending_nothing_is_measured() -> None:
    event = stored(None, timestamp="2026-03-01T11:00:00Z")
    assert (event.timestamp, event.sent_at, event.clock_offset) == ("2026-03-01T11:00:00.000000Z", None, None)


def test_what_the_platform_stamps_is_not_corrected() -> None:
    event = stored(clock_of((NOW - timedelta(hours=1)).isoformat(), NOW))
    assert (event.timestamp, event.sent_at, event.clock_offset) == (format_instant(NOW), None, None)


def test_imported_history_was_stamped_elsewhere() -> None:
    clock = clock_of((NOW - timedelta(hours=1)).isoformat(), NOW)
    event = stored(clock, experiment="two", timestamp="1999-03-01T11:00:00Z", variant_key="a")
    assert (event.timestamp, event.clock_offset) == ("1999-03-01T11:00:00.000000Z", None)
    assert event.sent_at is None


def test_letters_may_be_small() -> None:
    assert clock_of("2026-03-01t11:59:00z", NOW).offset == timedelta(minutes=1)


@pytest.mark.parametrize("hours", [-20, 20])
def test_the_window_is_that_of_the_clock_that_stamped(hours: int) -> None:
    wrong = NOW + timedelta(hours=hours)
    clock = clock_of(wrong.isoformat(), NOW)
    for stamp in (wrong, WINDOW.oldest + timedelta(hours=hours), WINDOW.newest + timedelta(hours=hours)):
        within = parse_instant(stored(clock, timestamp=stamp.isoformat()).timestamp)
        assert WINDOW.oldest <= within <= WINDOW.newest
    for stamp, code in (
        (WINDOW.oldest + timedelta(hours=hours) - SECOND, Code.TOO_OLD),
        (WINDOW.newest + timedelta(hours=hours) + SECOND, Code.IN_FUTURE),
    ):
        refused = read(clock, timestamp=stamp.isoformat())
        assert isinstance(refused, Violation)
        assert refused.code == code
    later = read(clock, id=uuid7(int((WINDOW.newest + timedelta(hours=hours) + SECOND).timestamp() * 1000)))
    assert isinstance(later, Violation)


def test_the_models_know_a_clock_that_is_too_far_away_by_the_same_distance() -> None:
    project = yaml.safe_load((folder(Folder.DBT_PROJECT) / "dbt_project.yml").read_text())
    assert timedelta(seconds=project["vars"]["farthest_clock_seconds"]) == FARTHEST
