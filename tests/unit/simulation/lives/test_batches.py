"""What becomes of units that were counted, in their sums."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from neonblue.simulation.lives.batches import NEVER, Batch, Cell, arriving, erase, link, sizes
from neonblue.simulation.lives.choosing import HOUR, measure
from neonblue.simulation.lives.design import Later
from neonblue.simulation.lives.measures import Measure, Shape
from neonblue.simulation.lives.units import Drawn

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
CONTROL, TREATED, NEXT = (
    Cell(MONDAY, 1, "control"),
    Cell(MONDAY, 1, "t1"),
    Cell(TUESDAY, 1, "control"),
)
COUNT = measure("m", Shape.COUNT, "primary", 3.0)
WINDOW = measure("w", Shape.COUNT, "primary", 3.0, window_seconds=HOUR)
LATER = Later(late=0.3, early=0.1)


def batch(of: Measure, cell: Cell, *values: int, missing: int = 0, second: list[int] | None = None) -> Batch:
    drawn = Drawn(np.array(values), None if second is None else np.array(second), missing)
    ends = None if of.message.window_seconds is None else datetime(2026, 3, 4, tzinfo=UTC)
    return Batch.of(of, cell, drawn, 1, ends)


def random(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def totals(batches: list[Batch]) -> list[tuple[int, int]]:
    return [(each.sums.n, int(each.sums.total)) for each in batches]


def test_what_is_late_counts_as_nothing_until_it_is_there_and_what_was_early_never_counts() -> None:
    whole = COUNT.draw(random(), "control", 10_000, 1.0)

    drawn = arriving(random(), COUNT, whole, LATER, 4)

    assert drawn.arrives is not None
    days = Counter(drawn.arrives.tolist())
    assert set(days) == {4, 6, 7, 8, NEVER}
    assert sum(count for day, count in days.items() if 4 < day < NEVER) == pytest.approx(3_000, abs=200)
    assert days[NEVER] == pytest.approx(1_000, abs=150)
    known = [COUNT.sums(COUNT.known(drawn, day)) for day in range(4, 9)]
    assert {sums.n for sums in known} == {10_000}
    assert [sums.total for sums in known] == sorted(sums.total for sums in known)
    assert known[0].total < known[-1].total < COUNT.sums(whole).total


def test_a_unit_of_which_nothing_has_arrived_has_no_value_where_nothing_is_none() -> None:
    asked = measure("m", Shape.NORMAL, "primary", 20.0, missing="exclude")
    drawn = replace(asked.draw(random(), "control", 1_000, 1.0), arrives=None)

    known = [asked.known(arriving(random(), asked, drawn, LATER, 1), day) for day in (1, 9)]

    assert drawn.missing < known[1].missing < known[0].missing
    assert {each.size for each in known} == {1_000}


def test_what_was_early_is_the_covariates() -> None:
    habit = measure("m", Shape.HABIT, "primary", 3.0)
    drawn = habit.draw(random(), "control", 1_000, 1.0)

    moved = arriving(random(), habit, drawn, Later(early=0.2), 1)

    assert drawn.second is not None
    assert moved.second is not None
    lost = habit.sums(drawn).total - habit.sums(habit.known(moved, 99)).total
    assert lost > 0
    assert int(moved.second.sum()) - int(drawn.second.sum()) == lost


def test_a_total_grows_and_what_was_done_once_stays_done() -> None:
    bought = measure("m", Shape.RATE, "primary", 0.3)
    shares = measure("m", Shape.RATIO, "primary", 0.5)
    for of in (COUNT, bought, shares):
        drawn = of.draw(random(), "control", 1_000, 1.0)

        grown = of.more(random(6), "control", drawn, 0.5)

        assert (grown.values >= drawn.values).all()
        assert grown.values.sum() > drawn.values.sum()
        assert grown.values.max() <= 1 or of is not bought
        assert (grown.second is None) == (drawn.second is None)


def test_the_erased_are_in_no_sum_of_any_metric() -> None:
    before = [batch(COUNT, CONTROL, *range(100)), batch(WINDOW, CONTROL, *range(90), missing=10)]

    after, gone = erase(random(), [*before, batch(COUNT, TREATED)], 0.3, 2)

    assert gone.keys() == {CONTROL}
    assert [each.drawn.size for each in after] == [100 - gone[CONTROL]] * 2 + [0]
    for then, now in zip(before, after, strict=False):
        assert set(now.drawn.values.tolist()) < set(then.drawn.values.tolist())
        assert now.sums == now.measure.sums(now.drawn)


def test_a_person_in_two_arms_is_in_none() -> None:
    after, gone = link(
        random(), [batch(COUNT, CONTROL, 1, 1), batch(COUNT, TREATED, 5, 5)], (TREATED, CONTROL), 2
    )

    assert gone == {CONTROL: 1, TREATED: 1}
    assert totals(after) == [(1, 1), (1, 5)]


@pytest.mark.parametrize("pair", [(CONTROL, NEXT), (NEXT, CONTROL)])
def test_a_person_in_one_arm_is_the_unit_that_came_first_with_what_both_did(pair: tuple[Cell, Cell]) -> None:
    batches = [
        batch(COUNT, CONTROL, 1),
        batch(WINDOW, CONTROL, 1),
        batch(COUNT, NEXT, 5, 5),
        batch(WINDOW, NEXT, 5, 5),
    ]

    after, gone = link(random(), batches, pair, 2)

    assert gone == {NEXT: 1}
    assert totals(after) == [(1, 6), (1, 1), (1, 5), (1, 5)]
    assert sizes(after) == {CONTROL: 1, NEXT: 1}


def test_two_ids_of_one_day_become_one_unit() -> None:
    bought, ratio = measure("m", Shape.RATE, "primary", 0.3), measure("r", Shape.RATIO, "primary", 0.5)
    batches = [
        batch(bought, CONTROL, 1, 1),
        batch(ratio, CONTROL, 2, 3, second=[4, 5]),
        batch(COUNT, CONTROL, missing=2),
    ]

    after, gone = link(random(), batches, (CONTROL, CONTROL), 2)

    assert gone == {CONTROL: 1}
    assert totals(after) == [(1, 1), (1, 5), (0, 0)]
    assert after[1].sums.second is not None
    assert after[1].sums.second.sum == 9
