"""The order in which a release comes to units: those who had the variant, then the others, and nobody loses it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neonblue.bucketing import BUCKETS, FULL_ALLOCATION, Configuration, Release, Unit, allocation_bound, serve
from neonblue.bucketing.evaluation import Reason
from neonblue.bucketing.release import had_variant, position, reaches
from neonblue.bucketing.serving import Serving

UNITS = 1_000_000
CONFIGURATION = Configuration("s", 6_000, (("a", 1), ("b", 1), ("c", 2)))
HOLDERS = 0.6 / 4

salts = st.text(st.characters(codec="ascii", exclude_characters=":"), min_size=1, max_size=8)
shares = st.integers(0, FULL_ALLOCATION)
arms = st.lists(st.integers(1, 1_000), min_size=2, max_size=5).map(
    lambda numbers: tuple((f"v{n}", weight) for n, weight in enumerate(numbers))
)


@given(salts, shares, arms, st.text(min_size=1), shares, shares)
def test_a_share_that_grows_takes_it_from_nobody(
    salt: str, allocation: int, weights: tuple[tuple[str, int], ...], unit: str, one: int, other: int
) -> None:
    configuration = Configuration(salt, allocation, weights)
    small, large = sorted((one, other))
    assert not reaches(configuration, Release("v1", small), unit) or reaches(
        configuration, Release("v1", large), unit
    )


@given(salts, shares, arms, st.text(min_size=1), st.text(min_size=1))
def test_who_had_it_comes_before_who_had_not(
    salt: str, allocation: int, weights: tuple[tuple[str, int], ...], one: str, other: str
) -> None:
    configuration = Configuration(salt, allocation, weights)
    first, places = configuration.holders["v1"], []
    for unit in (one, other):
        place = position(configuration, "v1", unit)
        held = had_variant(configuration, "v1", unit)
        assert 0 <= place < BUCKETS
        assert (place < first) if held else (place >= first)
        places.append((not held, place))
    assert (places[0] < places[1]) == (places[0][1] < places[1][1])


@given(salts, shares, arms, st.text(min_size=1))
def test_all_have_it_at_the_whole_and_nobody_at_none(
    salt: str, allocation: int, weights: tuple[tuple[str, int], ...], unit: str
) -> None:
    configuration = Configuration(salt, allocation, weights)
    assert reaches(configuration, Release("v1", FULL_ALLOCATION), unit)
    assert position(configuration, "v1", unit) < allocation_bound(FULL_ALLOCATION)
    assert not reaches(configuration, Release("v1", 0), unit)


def test_the_weights_of_whom_had_it_add_up_to_the_allocation() -> None:
    assert sum(CONFIGURATION.holders.values()) == pytest.approx(CONFIGURATION.bound, rel=1e-15)
    assert CONFIGURATION.holders["b"] / BUCKETS == pytest.approx(HOLDERS)


@pytest.fixture(scope="module")
def places() -> tuple[np.ndarray, np.ndarray]:
    """Of a million units: the place of each, and whether it had the variant."""
    names = [f"user-{number}" for number in range(UNITS)]
    found = np.fromiter((position(CONFIGURATION, "b", name) for name in names), np.uint64, UNITS)
    return found, found < np.uint64(CONFIGURATION.holders["b"])


def _reached(places: np.ndarray, share: int) -> np.ndarray:
    bound = allocation_bound(share)
    return np.ones(len(places), bool) if bound == BUCKETS else places < np.uint64(bound)


def test_of_a_million_units_none_loses_it_while_the_share_grows_to_all(
    places: tuple[np.ndarray, np.ndarray],
) -> None:
    found, held = places
    before = _reached(found, 1_500)
    assert (before == held).all()  # the holders' own share is they, and nobody else
    for share in range(1_500, FULL_ALLOCATION + 1, 500):
        now = _reached(found, share)
        assert (now | before == now).all()
        low, high = stats.binom.interval(0.9999, UNITS, share / FULL_ALLOCATION)
        assert low <= now.sum() <= high, share
        before = now
    assert before.all()


def test_of_a_million_units_the_last_who_joined_lose_it_first(places: tuple[np.ndarray, np.ndarray]) -> None:
    found, held = places
    for share in range(500, FULL_ALLOCATION, 500):
        kept, had = _reached(found, share), _reached(found, share + 500)
        lost = had & ~kept
        assert found[lost].min() >= found[kept].max()
        assert not (lost & held).any() or not (kept & ~held).any()  # no holder while anybody else has it
        low, high = stats.binom.interval(0.9999, UNITS, share / FULL_ALLOCATION)
        assert low <= kept.sum() <= high, share


def test_the_function_goes_by_the_place(places: tuple[np.ndarray, np.ndarray]) -> None:
    found, _ = places
    serving = Serving(Reason.CONCLUDED, "a", Release("b", 4_000))
    told = [
        serve(CONFIGURATION, serving, Unit(f"user-{number}")).variant_key == "b" for number in range(2_000)
    ]
    assert told == _reached(found[:2_000], 4_000).tolist()
