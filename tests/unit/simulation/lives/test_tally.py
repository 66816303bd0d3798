"""When a family fails."""

from __future__ import annotations

import pytest

from neonblue.simulation.lives.playing import Outcome
from neonblue.simulation.lives.tally import Rate, tally


def outcome(**fields: object) -> Outcome:
    neutral: dict[str, object] = {
        "wrong_ship": False,
        "wrong_harm": False,
        "found": False,
        "missed": False,
        "level": 0.95,
        "invalid": False,
        "broken": None,
        "said": "",
    }
    return Outcome(**(neutral | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hits", "of", "holds"),
    [(0, 0, True), (0, 100, True), (5, 100, True), (13, 100, True), (14, 100, False), (139, 2000, False)],
)
def test_a_rate_fails_where_even_its_lower_bound_is_above_the_limit(hits: int, of: int, holds: bool) -> None:
    assert Rate(hits, of, 0.05).holds is holds


@pytest.mark.parametrize(
    ("hits", "of", "holds"), [(100, 100, True), (75, 100, True), (60, 100, False), (0, 100, False)]
)
def test_a_share_to_be_found_fails_where_even_its_upper_bound_is_below_it(
    hits: int, of: int, holds: bool
) -> None:
    assert Rate(hits, of, 0.8, floor=True).holds is holds


def test_every_kind_of_fault_is_counted_with_the_first_seed_that_shows_it() -> None:
    lives = [
        outcome(),
        outcome(wrong_ship=True, missed=True),
        outcome(wrong_harm=True, level=None, missed=None),
        outcome(invalid=True, found=True),
        outcome(broken="a rejection vanished", level=0.99),
    ]

    found = tally("planned", lives)

    assert (found.lives, found.wrong_ships, found.wrong_harms, found.invalid, found.broken) == (5, 1, 1, 1, 1)
    assert (found.intervals, found.missed, found.found) == (4, 1, 1)
    assert found.level == pytest.approx((3 * 0.95 + 0.99) / 4)
    assert found.shows == {
        "false ship": 1,
        "false harm": 2,
        "outside its interval": 1,
        "called invalid": 3,
        "not held together": 4,
    }


def test_a_family_fails_by_each_of_its_targets() -> None:
    sound, lives = outcome(found=True), 100

    def failures(faulty: Outcome, count: int = 20) -> list[str]:
        return tally("x", [faulty] * count + [sound] * (lives - count)).failures(0.8)

    assert failures(sound) == []
    assert failures(outcome(wrong_ship=True, found=True)) == ["false ship"]
    assert failures(outcome(wrong_harm=True, found=True)) == ["false harm"]
    assert failures(outcome(missed=True, found=True)) == ["outside its interval"]
    assert failures(outcome(invalid=True, found=True)) == ["called invalid"]
    assert failures(outcome(), 50) == ["found"]
    assert failures(outcome(broken="x", found=True), 1) == ["held together"]
