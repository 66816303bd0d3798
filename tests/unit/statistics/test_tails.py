"""Quantiles far out in the tails."""

from __future__ import annotations

import math

import pytest

from neonblue.statistics.tails import t_quantile


@pytest.mark.parametrize("df", [1.0, 3.0, 50.0])
@pytest.mark.parametrize("probability", [1e-300, 5e-324])
def test_a_quantile_lies_on_its_own_side_also_where_the_tail_can_not_be_told(
    probability: float, df: float
) -> None:
    """A level that small is asked for when nothing is left of a sequential test's error."""
    assert float(t_quantile(probability, df)) < -1e6
    assert float(t_quantile(1 - 1e-16, df)) > 0
    assert math.isfinite(float(t_quantile(0.025, df)))
