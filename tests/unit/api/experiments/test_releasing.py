"""When a release takes its ramp's next step: by time alone, one after the other, and only of what is concluded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.experiments.release_fields import ReleaseIn
from api.experiments.releasing import next_step
from neonblue.contract.life_cycle import Status

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = [{"share": 100, "hold": "P1D"}, {"share": 2_500, "hold": "PT12H"}, {"share": 10_000, "hold": "P1D"}]


def row(status: str = Status.CONCLUDED, **fields: Any) -> dict[str, Any]:
    wanted = {"variant_key": "b", "ramp": {"steps": STEPS}} | fields
    return {"status": status, "release": ReleaseIn.model_validate(wanted).stored(SINCE)}


@pytest.mark.parametrize(
    ("after", "share"),
    [
        (timedelta(0), None),
        (DAY - timedelta(microseconds=1), None),
        (DAY, 2_500),
        (99 * DAY, 2_500),
        (-DAY, None),
    ],
)
def test_a_step_is_taken_when_the_one_before_has_held(after: timedelta, share: int | None) -> None:
    step = next_step(row(), SINCE + after)
    assert (None if step is None else step.release["share"]) == share


def test_the_last_step_leaves_no_ramp() -> None:
    half = next_step(row(), SINCE + DAY)
    assert half is not None
    assert half.why == "step 2 of 3, 25 %"
    last = next_step({"status": Status.CONCLUDED, "release": half.release}, SINCE + 2 * DAY)
    assert last is not None
    assert last.release == {"variant_key": "b", "share": 10_000, "population": "targeted"}
    assert next_step({"status": Status.CONCLUDED, "release": last.release}, SINCE + 99 * DAY) is None


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CONCLUDED])
def test_what_is_not_concluded_does_not_grow(status: Status) -> None:
    assert next_step(row(status), SINCE + 99 * DAY) is None


def test_without_a_release_or_a_ramp_nothing_grows() -> None:
    assert next_step({"status": Status.CONCLUDED, "release": None}, SINCE) is None
    assert next_step(row(ramp=None), SINCE + 99 * DAY) is None


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=12, unique=True).map(sorted),
    st.lists(st.integers(0, 400_000), max_size=60),
)
def test_whenever_it_is_looked_at_the_shares_come_in_their_order_and_each_holds_its_time(
    shares: list[int], waits: list[int]
) -> None:
    """Whatever the distances of the looks, in seconds: the share never falls, and leaves no step out."""
    held = timedelta(days=1)
    present = row(ramp={"steps": [{"share": share, "hold": "P1D"} for share in shares]})
    now, since, seen = SINCE, SINCE, [present["release"]["share"]]
    for wait in waits:
        now += timedelta(seconds=wait)
        step = next_step(present, now)
        if step is None:
            assert now < since + held or seen[-1] == shares[-1]
            continue
        assert now >= since + held
        since, present = now, {"status": Status.CONCLUDED, "release": step.release}
        seen.append(step.release["share"])
    assert seen == shares[: len(seen)]
