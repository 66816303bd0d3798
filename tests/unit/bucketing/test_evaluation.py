"""Layers, holdouts, targeting, dropped arms and forced variants: who gets what, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.bucketing import (
    FULL_ALLOCATION,
    Configuration,
    Holdout,
    LayerSlot,
    Purpose,
    Reason,
    Unit,
    bucket,
    evaluate,
    serve,
)
from neonblue.bucketing.document import ExperimentEntry, ServedEntry

VECTORS = json.loads(files("neonblue.bucketing").joinpath("vectors.json").read_text(encoding="utf-8"))
CASES = VECTORS["evaluations"]
SERVED = VECTORS["served"]
RUNNING = VECTORS["running"]
TWO = (("a", 1), ("b", 1))

unit_ids = st.text(min_size=1, max_size=40)
salts = st.text(
    st.characters(min_codepoint=48, max_codepoint=122, exclude_characters=":"), min_size=1, max_size=20
)
shares = st.integers(0, FULL_ALLOCATION)
weights = st.lists(st.integers(1, 1_000), min_size=1, max_size=6).map(
    lambda numbers: tuple((f"v{n}", weight) for n, weight in enumerate(numbers))
)


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case['name']}" for n, case in enumerate(CASES)])
def test_evaluation_is_the_published_one(case: dict[str, Any]) -> None:
    entry = msgspec.convert(case["experiment"], ExperimentEntry)
    found = evaluate(entry.configuration(), Unit(case["unit"]["id"], case["unit"]["attributes"]))
    assert (found.variant_key, found.reason) == (case["variant_key"], case["reason"])


@pytest.mark.parametrize("case", SERVED, ids=[f"{n}-{case['name']}" for n, case in enumerate(SERVED)])
def test_what_is_served_is_the_published_one(case: dict[str, Any]) -> None:
    entry = msgspec.convert(case["served"], ServedEntry)
    unit = Unit(case["unit"]["id"], case["unit"]["attributes"])
    found = serve(entry.configuration(), entry.serving(), unit)
    assert (found.variant_key, found.reason, found.served_by) == (
        case["variant_key"],
        case["reason"],
        case["served_by"],
    )


@pytest.mark.parametrize("case", RUNNING, ids=[f"{n}-{case['name']}" for n, case in enumerate(RUNNING)])
def test_what_a_running_experiment_serves_is_the_published_one(case: dict[str, Any]) -> None:
    entry = msgspec.convert(case["experiment"], ExperimentEntry)
    unit = Unit(case["unit"]["id"], case["unit"]["attributes"])
    found = serve(entry.configuration(), None, unit, case["stored"])
    assert (found.variant_key, found.reason, found.served_by, found.in_experiment) == (
        case["variant_key"],
        case["reason"],
        case["served_by"],
        case["in_experiment"],
    )


def test_every_reason_has_a_published_case() -> None:
    """But for an archived experiment, which no configuration names."""
    assert {case["reason"] for case in CASES + SERVED + RUNNING} == set(Reason) - {Reason.ARCHIVED}


@given(salts, weights, unit_ids, shares, shares)
def test_growing_the_allocation_moves_nobody(
    salt: str, arms: tuple[tuple[str, int], ...], unit: str, one: int, other: int
) -> None:
    small, large = sorted((one, other))
    before = evaluate(Configuration(salt, small, arms), Unit(unit))
    after = evaluate(Configuration(salt, large, arms), Unit(unit))
    assert before.variant_key is None or after == before


@given(salts, st.lists(st.integers(0, FULL_ALLOCATION), min_size=2, max_size=8, unique=True), unit_ids)
def test_a_unit_is_in_at_most_one_experiment_of_a_layer(salt: str, cuts: list[int], unit: str) -> None:
    borders = sorted(cuts)
    slots = [LayerSlot(salt, start, end) for start, end in pairwise(borders)]
    inside = [
        slot
        for n, slot in enumerate(slots)
        if evaluate(Configuration(f"e{n}", FULL_ALLOCATION, TWO, layer=slot), Unit(unit)).variant_key
    ]
    share = bucket(salt, Purpose.LAYER, unit) * FULL_ALLOCATION >> 64
    assert inside == [slot for slot in slots if slot.start <= share < slot.end]


@given(salts, weights, unit_ids, st.data())
def test_dropping_an_arm_moves_nobody_else(
    salt: str, arms: tuple[tuple[str, int], ...], unit: str, data: st.DataObject
) -> None:
    whole = Configuration(salt, FULL_ALLOCATION, arms)
    dropped = data.draw(st.sampled_from([key for key, _ in arms]))
    before = evaluate(whole, Unit(unit))
    after = evaluate(replace(whole, dropped=frozenset({dropped})), Unit(unit))
    if before.variant_key == dropped:
        assert (after.variant_key, after.reason) == (None, Reason.DROPPED_ARM)
    else:
        assert after == before


@given(salts, shares, unit_ids)
def test_a_holdout_holds_a_unit_out_of_every_experiment_or_of_none(salt: str, share: int, unit: str) -> None:
    holdout = Holdout(salt, share)
    reasons = {
        evaluate(Configuration(f"e{n}", FULL_ALLOCATION, TWO, holdouts=(holdout,)), Unit(unit)).reason
        for n in range(5)
    }
    assert len(reasons) == 1


def test_a_tester_gets_the_forced_variant_also_where_nobody_is_let_in() -> None:
    salt = "s"
    forced = {bucket(salt, Purpose.FORCED, "tester"): "b"}
    closed = Configuration(salt, 0, TWO, holdouts=(Holdout("h", FULL_ALLOCATION),), forced=forced)
    assert evaluate(closed, Unit("tester")).variant_key == "b"
    assert evaluate(closed, Unit("someone")).reason is Reason.HOLDOUT


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (0, FULL_ALLOCATION + 1)])
def test_an_impossible_slot_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="layer"):
        LayerSlot("s", start, end)


@pytest.mark.parametrize("make", [lambda: LayerSlot("a:b", 0, 1), lambda: Holdout("", 1)])
def test_an_ambiguous_salt_is_refused_everywhere(make: Any) -> None:
    with pytest.raises(ValueError, match="salt"):
        make()
