"""Quantiles far out in the tails."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neonblue.statistics.methods.t_test import critical_value, infer
from neonblue.statistics.numerics.tails import t_quantile, t_sf, t_two_sided


@pytest.mark.parametrize("df", [1.0, 3.0, 50.0])
@pytest.mark.parametrize("probability", [1e-300, 5e-324])
def test_a_quantile_lies_on_its_own_side_also_where_the_tail_can_not_be_told(
    probability: float, df: float
) -> None:
    """A level that small is asked for when nothing is left of a sequential test's error."""
    assert float(t_quantile(probability, df)) < -1e6
    assert float(t_quantile(1 - 1e-16, df)) > 0
    assert math.isfinite(float(t_quantile(0.025, df)))


def test_one_comparison_and_many_have_the_same_numbers() -> None:
    t, df = np.array([-3.1, 0.0, 0.2, 1.9, 40.0, 80.0]), np.array([7.0, 3.0, math.inf, 2e6, 12.0, math.inf])
    many, critical = infer(t, np.ones(6), df), critical_value(np.full(6, 0.01), df)

    for at, (statistic, freedom) in enumerate(zip(t.tolist(), df.tolist(), strict=True)):
        one = infer(statistic, 1.0, freedom)
        for name in ("p_value", "log10_p", "p_greater", "p_less", "lower", "upper"):
            assert float(getattr(one, name)) == pytest.approx(float(getattr(many, name)[at]), rel=1e-13), name
        assert float(one.p_greater) == float(t_sf(statistic, freedom))
        assert float(one.p_value) == float(t_two_sided(statistic, freedom)[0])
        assert float(critical_value(0.01, freedom)) == pytest.approx(float(critical[at]), rel=1e-13)
