"""A million users: every arm within its binomial bounds, and nothing that depends on anything else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from neonblue.bucketing import FULL_ALLOCATION, Configuration, Purpose, Unit, bucket, evaluate

USERS = 1_000_000
CONFIDENCE = 0.9999
SIGNIFICANCE = 1e-4
UNEVEN = (("a", 1), ("b", 2), ("c", 3), ("d", 5), ("e", 8), ("f", 13), ("g", 1_000))


@pytest.mark.parametrize(
    "weights",
    [(("a", 50), ("b", 50)), (("a", 90), ("b", 10)), (("a", 1), ("b", 99)), UNEVEN],
    ids=["50-50", "90-10", "1-99", "seven uneven"],
)
def test_each_arm_lies_within_its_binomial_bounds(weights: tuple[tuple[str, int], ...]) -> None:
    configuration = Configuration("proportions", FULL_ALLOCATION, weights)
    counts = Counter(evaluate(configuration, Unit(f"user-{n}")).variant_key for n in range(USERS))
    total = sum(weight for _, weight in weights)
    assert sum(counts.values()) == USERS
    for key, weight in weights:
        low, high = stats.binom.interval(CONFIDENCE, USERS, weight / total)
        assert low <= counts[key] <= high, (key, counts[key], low, high)


def _tenths(salt: str, purpose: Purpose) -> np.ndarray:
    """In which tenth of the buckets each user is."""
    return np.fromiter(
        (bucket(salt, purpose, f"user-{n}") * 10 >> 64 for n in range(USERS)), dtype=np.int8, count=USERS
    )


PURPOSES = [
    ("one", Purpose.VARIANT),
    ("two", Purpose.VARIANT),
    ("one", Purpose.ROLLOUT),
    ("one", Purpose.LAYER),
]


@pytest.fixture(scope="module")
def tenths() -> dict[tuple[str, Purpose], np.ndarray]:
    return {(salt, purpose): _tenths(salt, purpose) for salt, purpose in PURPOSES}


def _p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Of Pearson's chi-square test that the two are independent."""
    table = np.zeros((10, 10))
    np.add.at(table, (one, other), 1)
    return float(stats.chi2_contingency(table).pvalue)


@pytest.mark.parametrize(
    "other",
    [("two", Purpose.VARIANT), ("one", Purpose.ROLLOUT), ("one", Purpose.LAYER)],
    ids=["another experiment's arms", "the rollout", "the layer"],
)
def test_an_experiments_arms_are_independent_of(
    tenths: dict[tuple[str, Purpose], np.ndarray], other: tuple[str, Purpose]
) -> None:
    assert _p_value(tenths["one", Purpose.VARIANT], tenths[other]) > SIGNIFICANCE


def test_the_chi_square_test_sees_a_dependence(tenths: dict[tuple[str, Purpose], np.ndarray]) -> None:
    """One user in a hundred whose arm follows from the other experiment's is found."""
    arms = tenths["one", Purpose.VARIANT].copy()
    arms[::100] = tenths["two", Purpose.VARIANT][::100]
    assert _p_value(arms, tenths["two", Purpose.VARIANT]) < SIGNIFICANCE
