"""Rates of the last minute, from counters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.metrics import COMMIT_SECONDS, EVENTS
from api.pipeline_state.rates import Counted, Rates, bound_of, counted


def at(
    second: float, accepted: float, rejected: float = 0.0, fast: float = 0.0, all_: float = 0.0
) -> Counted:
    return Counted(second, accepted, rejected, ((0.004, fast), (math.inf, all_)))


def test_no_rate_is_told_of_one_sample() -> None:
    rates = Rates()
    assert rates.rate is None
    rates.note(at(1, 10))
    assert rates.rate is None
    rates.note(at(1, 20))
    assert rates.rate is None


def test_a_rate_is_of_the_last_minute_alone() -> None:
    rates = Rates()
    rates.note(at(0, 0, 0, 100, 100))
    for step in range(1, 40):
        rates.note(at(5 * step, 1_000 + 50 * step, 5 * step, 100 + 98 * step, 100 + 100 * step))
    rate = rates.rate
    assert rate is not None
    assert (rate.seconds, rate.accepted, rate.rejected) == (60, 10, 1)
    assert rate.commit_p99 == math.inf  # 98 of 100 were fast


@pytest.mark.parametrize(
    ("cumulative", "bound"),
    [([], None), ([(1, 0), (math.inf, 0)], None), ([(1, 99), (2, 100)], 1), ([(1, 98), (2, 100)], 2)],
)
def test_the_bound_is_the_first_that_holds_the_share(
    cumulative: list[tuple[float, float]], bound: float | None
) -> None:
    assert bound_of(cumulative, 0.99) == bound


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_at_least_the_share_lies_below_the_bound(numbers: list[int]) -> None:
    cumulative = [(float(place), float(sum(numbers[: place + 1]))) for place in range(len(numbers))]
    bound = bound_of(cumulative, 0.9)
    assert (bound is None) == (sum(numbers) == 0)
    if bound is not None:
        assert dict(cumulative)[bound] >= 0.9 * sum(numbers)
        assert all(number < 0.9 * sum(numbers) for place, number in cumulative if place < bound)


def test_the_counters_are_those_of_the_process() -> None:
    before = counted(0)
    EVENTS.labels("accepted").inc(3)
    EVENTS.labels("rejected").inc(2)
    COMMIT_SECONDS.labels("events").observe(0.003)
    COMMIT_SECONDS.labels("assignments").observe(0.003)
    after = counted(1)
    assert (after.accepted - before.accepted, after.rejected - before.rejected) == (3, 2)
    more = dict(after.commits)[math.inf] - dict(before.commits).get(math.inf, 0.0)
    assert more == 1
    rates = Rates()
    rates.note(before)
    rates.note(after)
    assert rates.rate is not None
    assert rates.rate.commit_p99 == 0.004
