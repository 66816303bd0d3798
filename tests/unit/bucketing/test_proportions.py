"""A million users: every arm within its binomial bounds, and nothing that depends on anything else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neonblue.bucketing import (
    FULL_ALLOCATION,
    Configuration,
    Purpose,
    Unit,
    bucket,
    evaluate,
    variant_ranges,
)

USERS = 1_000_000
COMPARED = 20_000
CONFIDENCE = 0.9999
SIGNIFICANCE = 1e-4
UNEVEN = (("a", 1), ("b", 2), ("c", 3), ("d", 5), ("e", 8), ("f", 13), ("g", 1_000))
PURPOSES = [
    ("one", Purpose.VARIANT),
    ("two", Purpose.VARIANT),
    ("one", Purpose.ROLLOUT),
    ("one", Purpose.LAYER),
]

Buckets = dict[tuple[str, Purpose], np.ndarray]


@pytest.fixture(scope="module")
def buckets() -> Buckets:
    """Each user's bucket, by salt and purpose."""
    return {
        (salt, purpose): np.fromiter(
            (bucket(salt, purpose, f"user-{n}") for n in range(USERS)), dtype=np.uint64, count=USERS
        )
        for salt, purpose in PURPOSES
    }


@pytest.mark.parametrize(
    "weights",
    [(("a", 50), ("b", 50)), (("a", 90), ("b", 10)), (("a", 1), ("b", 99)), UNEVEN],
    ids=["50-50", "90-10", "1-99", "seven uneven"],
)
@pytest.mark.parametrize("salt", ["one", "two"])
def test_each_arm_lies_within_its_binomial_bounds(
    buckets: Buckets, salt: str, weights: tuple[tuple[str, int], ...]
) -> None:
    ranges = variant_ranges(weights)
    ends = np.array([each.end - 1 for each in ranges], dtype=np.uint64)  # the last one's end is 2^64
    arms = np.searchsorted(ends, buckets[salt, Purpose.VARIANT])

    configuration = Configuration(salt, FULL_ALLOCATION, weights)
    evaluated = [evaluate(configuration, Unit(f"user-{n}")).variant_key for n in range(COMPARED)]
    assert evaluated == [ranges[arm].key for arm in arms[:COMPARED]]

    total = sum(weight for _, weight in weights)
    for arm, (key, weight) in enumerate(weights):
        count = int((arms == arm).sum())
        low, high = stats.binom.interval(CONFIDENCE, USERS, weight / total)
        assert low <= count <= high, (key, count, low, high)


@pytest.fixture(scope="module")
def tenths(buckets: Buckets) -> Buckets:
    """In which tenth of the buckets each user is."""
    return {key: found // np.uint64(-(-(1 << 64) // 10)) for key, found in buckets.items()}


def _p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Of Pearson's chi-square test that the two are independent."""
    table = np.bincount(one.astype(int) * 10 + other.astype(int), minlength=100).reshape(10, 10)
    return float(stats.chi2_contingency(table).pvalue)


@pytest.mark.parametrize(
    "other",
    [("two", Purpose.VARIANT), ("one", Purpose.ROLLOUT), ("one", Purpose.LAYER)],
    ids=["another experiment's arms", "the rollout", "the layer"],
)
def test_an_experiments_arms_are_independent_of(tenths: Buckets, other: tuple[str, Purpose]) -> None:
    assert _p_value(tenths["one", Purpose.VARIANT], tenths[other]) > SIGNIFICANCE


def test_the_chi_square_test_sees_a_dependence(tenths: Buckets) -> None:
    """One user in a hundred whose arm follows from the other experiment's is found."""
    arms = tenths["one", Purpose.VARIANT].copy()
    arms[::100] = tenths["two", Purpose.VARIANT][::100]
    assert _p_value(arms, tenths["two", Purpose.VARIANT]) < SIGNIFICANCE
