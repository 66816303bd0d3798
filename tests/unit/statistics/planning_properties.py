"""What must hold of any plan: sample size, power and detectable effect undo one another."""

from __future__ import annotations

import dataclasses
import math

from neonblue.statistics.planning.means import Design, SampleSize, mean_mde, mean_power, mean_sample_size
from neonblue.statistics.planning.proportions import (
    NullVariance,
    proportion_mde,
    proportion_power,
    proportion_sample_size,
)


def mean_plan_round_trips(sd: float, effect: float, design: Design) -> None:
    """power(n(effect), effect) is the power asked for, mde(n(effect)) the effect, and n goes as 1 / effect^2."""
    size = _sized(mean_sample_size(sd, effect, design))
    units = (size.control, size.treatment)
    assert math.isclose(_number(mean_power(sd, effect, units, design)), design.power, rel_tol=1e-9)
    assert math.isclose(_number(mean_mde(sd, units, design)), abs(effect), rel_tol=1e-9)
    halved = _sized(mean_sample_size(sd, effect / 2, design))
    assert math.isclose(halved.control, 4 * size.control, rel_tol=1e-9)
    assert math.isclose(size.treatment, size.control * design.ratio, rel_tol=1e-9)


def proportion_plan_round_trips(control: float, treatment: float, design: Design) -> None:
    """As for means, with either variance under the null hypothesis."""
    for null in NullVariance:
        size = _sized(proportion_sample_size(control, treatment, design, null))
        units = (size.control, size.treatment)
        power = _number(proportion_power(control, treatment, units, design, null))
        assert math.isclose(power, design.power, rel_tol=1e-6)
        effect = _number(proportion_mde(control, units, design, null, upward=treatment > control))
        assert math.isclose(effect, treatment - control, rel_tol=1e-6)


def plan_is_monotone(sd: float, effect: float, design: Design) -> None:
    """More units for a smaller alpha, a larger power, variance or inflation, more comparisons, or two sides."""
    size = _sized(mean_sample_size(sd, effect, design)).control
    harder = [
        dataclasses.replace(design, alpha=design.alpha / 2),
        dataclasses.replace(design, power=(1 + design.power) / 2),
        dataclasses.replace(design, comparisons=design.comparisons + 1),
        dataclasses.replace(design, inflation=design.inflation * 1.1),
    ]
    if design.sided == 1:
        harder.append(dataclasses.replace(design, sided=2))
    for other in harder:
        assert _sized(mean_sample_size(sd, effect, other)).control > size
    assert _sized(mean_sample_size(sd * 1.1, effect, design)).control > size


def _sized(value: object) -> SampleSize:
    assert isinstance(value, SampleSize), value
    return value


def _number(value: object) -> float:
    assert isinstance(value, float), value
    return value
