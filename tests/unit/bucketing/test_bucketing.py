"""Buckets, allocation and variants: reproducible, exact, independent and in proportion."""

from __future__ import annotations

import hashlib
import json
import math
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.bucketing import (
    BUCKETS,
    FULL_ALLOCATION,
    Configuration,
    Purpose,
    allocation_bound,
    assign,
    bucket,
    variant_ranges,
)

UNITS = 40_000
SIGMAS = 5.0
VECTORS = json.loads(files("neonblue.bucketing").joinpath("vectors.json").read_text(encoding="utf-8"))


def _within(count: int, n: int, share: float) -> bool:
    """Whether the count lies within five standard deviations of the binomial's mean."""
    return abs(count - n * share) <= SIGMAS * math.sqrt(n * share * (1 - share))


@pytest.mark.parametrize("vector", VECTORS["buckets"])
def test_bucket_is_the_published_one(vector: dict[str, str]) -> None:
    assert bucket(vector["salt"], Purpose(vector["purpose"]), vector["unit_id"]) == int(vector["bucket"])


@pytest.mark.parametrize("vector", VECTORS["buckets"])
def test_published_bucket_is_what_the_decision_describes(vector: dict[str, str]) -> None:
    text = f"{vector['purpose']}:{vector['salt']}:{vector['unit_id']}".encode()
    assert int(vector["bucket"]) == int(hashlib.sha256(text).hexdigest()[:16], 16)


@pytest.mark.parametrize("vector", VECTORS["assignments"])
def test_assignment_is_the_published_one(vector: dict[str, object]) -> None:
    weights = tuple((key, weight) for key, weight in vector["weights"])  # type: ignore[attr-defined]
    configuration = Configuration(str(vector["salt"]), int(str(vector["allocation"])), weights)
    assert assign(configuration, str(vector["unit_id"])) == vector["variant"]


@pytest.mark.parametrize("allocation", [1, 25, 1_000, 5_000, 9_990])
def test_allocation_takes_in_its_share(allocation: int) -> None:
    configuration = Configuration("rollout-share", allocation, (("a", 1), ("b", 1)))
    inside = sum(assign(configuration, f"user-{n}") is not None for n in range(UNITS))
    assert _within(inside, UNITS, allocation / FULL_ALLOCATION)


def test_variants_get_their_shares_also_within_a_small_rollout() -> None:
    configuration = Configuration("two-hashes", 2_000, (("a", 1), ("b", 2), ("c", 5)))
    given_variants = [assign(configuration, f"user-{n}") for n in range(UNITS)]
    inside = [variant for variant in given_variants if variant is not None]
    for key, weight in configuration.weights:
        assert _within(inside.count(key), len(inside), weight / 8)


def test_nobody_is_in_at_zero_and_everybody_at_full_allocation() -> None:
    nobody = Configuration("s", 0, (("a", 1),))
    everybody = Configuration("s", FULL_ALLOCATION, (("a", 1),))
    assert all(assign(nobody, str(n)) is None for n in range(1_000))
    assert all(assign(everybody, str(n)) == "a" for n in range(1_000))


def test_growing_the_allocation_keeps_every_unit_and_its_variant() -> None:
    weights = (("a", 1), ("b", 1))
    small, large = Configuration("grow", 3_000, weights), Configuration("grow", 6_000, weights)
    for n in range(5_000):
        before = assign(small, str(n))
        assert before is None or assign(large, str(n)) == before


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=50))
def test_ranges_cover_every_bucket_once(weights: list[int]) -> None:
    ranges = variant_ranges([(str(n), weight) for n, weight in enumerate(weights)])
    assert ranges[0].start == 0
    assert ranges[-1].end == BUCKETS
    assert all(one.end == two.start for one, two in pairwise(ranges))


@given(st.text(), st.text(max_size=64))
def test_bucket_is_in_range_for_every_text(unit: str, salt: str) -> None:
    assert 0 <= bucket(salt, Purpose.VARIANT, unit) < BUCKETS


@pytest.mark.parametrize("allocation", [-1, FULL_ALLOCATION + 1])
def test_allocation_out_of_range_is_refused(allocation: int) -> None:
    with pytest.raises(ValueError, match="allocation"):
        allocation_bound(allocation)


@pytest.mark.parametrize("weights", [[], [("a", 0)], [("a", 1), ("b", -1)]])
def test_impossible_weights_are_refused(weights: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="weights"):
        variant_ranges(weights)


@pytest.mark.parametrize("salt", ["", "a:b"])
def test_ambiguous_salt_is_refused(salt: str) -> None:
    with pytest.raises(ValueError, match="salt"):
        Configuration(salt, 1, (("a", 1),))
