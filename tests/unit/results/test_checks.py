"""What health says of units that are never exposed, and of events that a clock puts before their exposure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from neonblue.analysis import ExperimentRows, MomentRow
from neonblue.results.checks import clock_check, correction_check, exposure_check
from tests.unit.analysis.lives import configuration

STARTED = datetime.fromisoformat("2026-03-01T09:00:00+00:00")
HOUR = STARTED + timedelta(hours=1)


def exposure(assigned: int, exposed: int, now: datetime = HOUR, **fields: Any) -> Any:
    given = {"started_at": STARTED.isoformat(), **fields}
    return exposure_check(configuration(**given), ExperimentRows(exposed=exposed), assigned, now)


@pytest.mark.parametrize(("assigned", "exposed"), [(1, 0), (250, 0), (1_000, 9), (100, 0)])
def test_units_that_are_hardly_ever_exposed_are_a_warning_that_says_what_to_do(
    assigned: int, exposed: int
) -> None:
    check = exposure(assigned, exposed)

    assert (check.passed, check.blocking) == (False, False)
    assert check.message.startswith(f"{assigned:,} units were assigned, {exposed:,} of them exposed")
    for way in ("POST /v1/assignments", "exposure", "docs/openfeature.md"):
        assert way in check.message


@pytest.mark.parametrize(("assigned", "exposed"), [(1_000, 10), (99, 1), (10, 10), (5, 9)])
def test_units_that_are_exposed_pass(assigned: int, exposed: int) -> None:
    assert exposure(assigned, exposed).passed


def test_nothing_is_said_before_units_could_have_been_exposed() -> None:
    assert exposure(0, 0) is None
    assert exposure(10, 0, now=STARTED + timedelta(minutes=9)) is None
    assert exposure(10, 0, started_at=None) is None


def row(arm: str, n: int, just_before: int, version: int = 1) -> MomentRow:
    return MomentRow(
        "conv", version, arm, 1, date(2026, 3, 1), n, Decimal(0), Decimal(0), just_before=just_before
    )


def test_events_just_before_the_exposure_are_counted_by_metric_and_arm() -> None:
    rows = ExperimentRows(
        [row("control", 100, 1), row("t", 60, 2), row("t", 40, 1), row("t", 9, 5, version=2)]
    )
    check = clock_check(configuration(), rows)

    assert check is not None
    assert (check.passed, check.blocking, check.value) == (False, False, 4 / 200)
    assert "conv: 1 in control, 3 in t" in check.message
    assert "up to 60 seconds" in check.message
    assert "clock" in check.message


def test_a_few_of_them_do_not_fail_and_none_are_not_told() -> None:
    some = clock_check(configuration(), ExperimentRows([row("control", 100, 0), row("t", 100, 2)]))

    assert some is not None
    assert some.passed
    assert clock_check(configuration(), ExperimentRows([row("control", 100, 0)])) is None


def test_corrected_clocks_are_told_and_those_that_are_too_far_away_warn() -> None:
    assert correction_check(1_000, 0, 0, 0) is None
    mended, some, many = (
        correction_check(1_000, 40, 0, 0), correction_check(1_000, 0, 10, 0), correction_check(1_000, 40, 11, 0)
    )  # fmt: skip

    assert mended is not None
    assert some is not None
    assert many is not None
    assert [check.passed for check in (mended, some, many)] == [True, True, False]
    assert (many.blocking, many.value, many.threshold) == (False, 0.011, 0.01)
    assert mended.message.startswith("Of 1,000 events 40 came from a clock more than 1 s off")
    assert "day off" not in mended.message
    assert "11 came from a clock more than 1 day off (1.1%)" in many.message


def test_events_that_their_clock_puts_before_the_exposure_are_told_and_weigh_as_others() -> None:
    """A local time that is sent as UTC may move every event of a client there."""
    only, corrected, few = (
        correction_check(3, 0, 3, 3), correction_check(100, 60, 0, 60), correction_check(1_000, 40, 10, 7)
    )  # fmt: skip

    assert only is not None
    assert corrected is not None
    assert few is not None
    assert [(check.passed, check.value) for check in (only, corrected, few)] == [
        (False, 1.0),
        (False, 0.6),
        (True, 0.01),
    ]
    assert "Are both Sent-At and the clock in UTC?" in corrected.message
    assert few.message.endswith(
        "7 of all these do not count: they came after the exposure with a time before it."
    )


def test_a_majority_of_corrected_events_asks_whether_a_zone_is_sent_for_utc() -> None:
    half, more, both = (
        correction_check(1_000, 500, 10, 0), correction_check(1_000, 501, 10, 0), correction_check(1_000, 501, 11, 0)
    )  # fmt: skip

    assert half is not None
    assert more is not None
    assert both is not None
    assert [check.passed for check in (half, more, both)] == [True, False, False]
    assert (more.blocking, more.value, more.threshold) == (False, 0.501, 0.5)
    assert (both.value, both.threshold) == (0.011, 0.01)
    for check in (more, both):
        assert "Are both Sent-At and the clock in UTC?" in check.message
    assert "UTC" not in half.message


def test_events_from_afar_alone_are_all_of_them() -> None:
    """As where a table was built by a version that counted no early ones."""
    check = correction_check(0, 0, 3, 0)
    assert check is not None
    assert not check.passed
    assert check.value == 1.0
