"""Verdicts on a family of tests, where p-values lie exactly on the lines that decide."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics.methods.multiplicity import Procedure, judge
from tests.unit.statistics import reference

ALPHAS = (Fraction(1, 20), Fraction(1, 10), Fraction(1, 100), Fraction(3, 10))


def step_up(p: list[Fraction], alpha: Fraction) -> list[bool]:
    """Benjamini and Hochberg's own rule, in whole numbers: all up to the largest r with p_(r) <= alpha r / m."""
    ranked = sorted(p)
    largest = max((r for r, value in enumerate(ranked, 1) if value <= alpha * r / len(p)), default=0)
    return [value <= ranked[largest - 1] if largest else False for value in p]


def step_down(p: list[Fraction], alpha: Fraction) -> list[bool]:
    """Holm's rule: all before the first r with p_(r) > alpha / (m - r + 1)."""
    ranked = sorted(p)
    passed = 0
    for rank, value in enumerate(ranked):
        if value > alpha / (len(p) - rank):
            break
        passed += 1
    return [value <= ranked[passed - 1] if passed else False for value in p]


@st.composite
def on_the_lines(draw: st.DrawFn) -> tuple[list[Fraction], Fraction]:
    alpha = draw(st.sampled_from(ALPHAS))
    m = draw(st.integers(1, 12))
    lines = [alpha * r / k for k in range(1, m + 1) for r in range(1, k + 1)]
    return draw(st.lists(st.sampled_from(lines), min_size=m, max_size=m)), alpha


@given(on_the_lines())
def test_what_lies_exactly_on_its_line_is_rejected(family: tuple[list[Fraction], Fraction]) -> None:
    p, alpha = family
    values = [float(value) for value in p]

    found = judge(values, Procedure.BENJAMINI_HOCHBERG, float(alpha))
    holm = judge(values, Procedure.HOLM, float(alpha))

    assert list(found.rejected) == step_up(p, alpha)
    assert list(holm.rejected) == step_down(p, alpha)
    for one in (found, holm):
        assert [adjusted <= float(alpha) for adjusted in one.adjusted if adjusted is not None] == list(
            one.rejected
        )


def test_what_lies_above_its_line_is_not() -> None:
    assert judge([0.05 * (1 + 1e-12)], Procedure.BENJAMINI_HOCHBERG).rejected == (False,)


def test_the_engine_agrees_with_the_cases_on_the_line() -> None:
    for case in reference.edge_cases("multiple_comparisons_boundary"):
        found = judge(case.inputs["p_values"], Procedure.BENJAMINI_HOCHBERG, case.options["alpha"])

        assert list(found.rejected) == case.expected["BH"]["reject_at_alpha"], case.name
        assert found.adjusted == pytest.approx(case.expected["BH"]["adjusted"], rel=1e-10)
