"""The logs of all services in the order of time, though each writes the time in its own way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.stack.supervisor.log_times import merged, parted, time_of

MOMENT = datetime(2026, 11, 30, 1, 2, 3, 456000, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "request_failed", "level": "error", "timestamp": "2026-11-30T01:02:03.456000Z"}',
        '{"timestamp": "2026-11-30T01:02:03.456000Z", "level": "info", "event": "service_ready"}',
        "timestamp=2026-11-30T01:02:03.456000Z level=info event=of_an_older_version",
        "2026-11-30 01:02:03.456 UTC [123] neonblue LOG:  checkpoint starting",
        "2026-11-30T01:02:03.456Z INFO KafkaRaftServer: Kafka Server started",
        "2026-11-30T01:02:03.456+00:00 INFO x",
        "2026-11-30 02:02:03,456 +0100 - dagster - INFO - Serving",
        "123:M 30 Nov 2026 01:02:03.456 * Ready to accept connections tcp",
    ],
)
def test_every_services_way_is_read(line: str) -> None:
    assert time_of(line) == MOMENT


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("2026-11-30 01:02:03.456 UTC [123] neonblue LOG:  ready", "[123] neonblue LOG:  ready"),
        ("123:M 30 Nov 2026 01:02:03.456 * Ready", "123:M * Ready"),
        ("timestamp=2026-11-30T01:02:03.456000Z level=info", "level=info"),
        ("since=2026-11-30T01:02:03.456000Z x", "since=2026-11-30T01:02:03.456000Z x"),
        ("\tat java", "\tat java"),
    ],
)
def test_a_line_is_told_without_its_time_but_a_field_of_it_stays(line: str, rest: str) -> None:
    assert parted(line)[1] == rest


@pytest.mark.parametrize(
    "line",
    [
        "",
        '  File "x.py", line 3',
        "api: ready",
        "9999-99-99 99:99:99 no time",
        "INFO: the event of user 1 of the day before was stored at 2026-11-30 01:02:03",
        "2026-11-30 is a day",
    ],
)
def test_what_is_no_time_is_none(line: str) -> None:
    assert time_of(line) is None


@given(st.text(max_size=80))
def test_no_line_is_an_error(line: str) -> None:
    time_of(line)


def test_lines_come_in_the_order_of_time_and_those_without_stay_with_the_one_before() -> None:
    logs = {
        "kafka": ["banner", "2026-11-30T01:00:02.000Z failed", "\tat java", "2026-11-30T01:00:05.000Z ok"],
        "api": ["timestamp=2026-11-30T01:00:03Z event=x", "timestamp=2026-11-30T01:00:01Z event=late"],
        "up": ["api: ready"],
    }

    found = list(merged(logs, dict.fromkeys(logs, datetime(2026, 11, 30, 1, 0, 4, tzinfo=UTC))))

    assert [(name, line.split()[0]) for name, line in found] == [
        ("kafka", "banner"),
        ("kafka", "2026-11-30T01:00:02.000Z"),
        ("kafka", "at"),
        ("api", "timestamp=2026-11-30T01:00:03Z"),
        ("api", "timestamp=2026-11-30T01:00:01Z"),
        ("up", "api:"),
        ("kafka", "2026-11-30T01:00:05.000Z"),
    ]
