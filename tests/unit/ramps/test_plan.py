"""What a ramp is, and the ready-made ones."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from neonblue.contract.messages import RampStepMessage
from neonblue.ramps.plan import READY_MADE, Ramp, RampStep

DAY = timedelta(days=1)


@pytest.mark.parametrize("shares", [[], [100, 100], [500, 100], [1, 2, 2]])
def test_shares_grow(shares: list[int]) -> None:
    with pytest.raises(ValueError, match="larger share"):
        Ramp(tuple(RampStep(share, DAY) for share in shares))


def test_standard_takes_six_days() -> None:
    steps = READY_MADE["standard"].steps

    assert [(step.share, step.hold) for step in steps] == [
        (share, DAY) for share in (100, 500, 1_000, 2_500, 5_000, 10_000)
    ]


@pytest.mark.parametrize("name", READY_MADE)
def test_a_ready_made_ramp_is_one_and_ends_with_all(name: str) -> None:
    made = READY_MADE[name]

    assert Ramp(made.steps).reached(10_000) == len(made.steps)
    assert made.steps[-1].share == 10_000
    assert made.on_breach in ("hold", "pause", "roll_back")


def test_careful_never_goes_beyond_two_and_a_half_times_what_was_watched() -> None:
    shares = [step.share for step in READY_MADE["careful"].steps]

    assert all(later <= 2.5 * earlier for earlier, later in pairwise(shares))
    assert len(shares) == 8


def test_a_ramp_is_made_of_what_was_written() -> None:
    steps = [
        RampStepMessage(allocation=100, hold="PT36H"),
        RampStepMessage(allocation=500, hold="P1W", units=7),
    ]

    assert Ramp.written(steps, concludes=True) == Ramp(
        (RampStep(100, 1.5 * DAY), RampStep(500, 7 * DAY, 7)), concludes=True
    )
