"""Means, ratios, quantiles, differences and their tests over units' values, as docs/statistics.md defines them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from scipy.stats import norm
from scipy.stats import t as student

from tests.end_to_end.lives.design import Json
from tests.integration.dbt_project.expected_values import Total, mean_and_variance

_Z = 1.959963984540054
ADJUSTED = ("mean", "count")
_FEWEST = 30


def lift(definition: Json, control: Sequence[Total], treatment: Sequence[Total]) -> float | None:
    """The difference, adjusted where it can be, as a share of control's value."""
    below, above = mean_of(definition, control), mean_of(definition, treatment)
    if not below or above is None:
        return None
    adjusted = adjusted_difference(definition, control, treatment)
    return (above - below if adjusted is None else adjusted) / abs(below)


def adjusted_difference(
    definition: Json, control: Sequence[Total], treatment: Sequence[Total]
) -> float | None:
    """The difference less what the covariate tells of it; None where the metric has no covariate."""
    if definition["type"] not in ADJUSTED or not definition.get("cuped", True):
        return None
    arms = [[total for total in totals if not total.missing] for totals in (control, treatment)]
    if min(len(totals) for totals in arms) < _FEWEST:
        return None
    moments = [_deviations(totals) for totals in arms]
    below = sum(row[3] for row in moments)
    theta = sum(row[2] for row in moments) / below if below else 0.0
    (y_c, x_c, *_), (y_t, x_t, *_) = moments
    return (y_t - y_c) - theta * (x_t - x_c)


def answering(totals: Sequence[Total]) -> int:
    """Units with a value."""
    return sum(not total.missing for total in totals)


def _deviations(totals: Sequence[Total]) -> tuple[float, float, float, float]:
    """The means of value and covariate, and the sums of products of deviations."""
    y, x = [float(total.value) for total in totals], [float(total.covariate) for total in totals]
    (mean_y, _), (mean_x, _) = mean_and_variance(y), mean_and_variance(x)
    both = math.fsum((a - mean_y) * (b - mean_x) for a, b in zip(y, x, strict=True))
    return mean_y, mean_x, both, math.fsum((b - mean_x) ** 2 for b in x)


def one_look(control: Sequence[Total], treatment: Sequence[Total]) -> dict[str, float] | None:
    """The two-sided p of no difference by the method: Welch's t, or z with each arm's own variance."""
    arms = [[float(total.value) for total in totals if not total.missing] for totals in (control, treatment)]
    if min(len(values) for values in arms) < 2:
        return None
    (mean, of_mean), (other, of_other) = (mean_and_variance(values) for values in arms)
    n, m = (len(values) for values in arms)
    shares = mean * (1 - mean) / n + other * (1 - other) / m
    if not of_mean + of_other or shares == 0:
        return None
    df = (of_mean + of_other) ** 2 / (of_mean**2 / (n - 1) + of_other**2 / (m - 1))
    t = (other - mean) / math.sqrt(of_mean + of_other)
    found = {"welch": 2 * float(student.sf(abs(t), df))}
    if shares > 0:
        found["unpooled_proportions"] = 2 * float(norm.sf(abs(other - mean) / math.sqrt(shares)))
    return found


def mean_of(definition: Json, totals: Sequence[Total]) -> float | None:
    """A metric's value over units: their mean, the ratio of their sums, or their quantile."""
    given = [total for total in totals if not total.missing]
    if not given:
        return None
    value = sum((total.value for total in given), Decimal(0))
    if definition["type"] == "ratio":
        below = sum((total.denominator for total in given), Decimal(0))
        return float(value / below) if below else None
    if definition["type"] == "quantile":
        return quantile([float(total.value) for total in given], float(definition["quantile"]))
    return float(value / len(given))


def quantile(values: Sequence[float], level: float) -> float:
    """Linear between order statistics; among equal values linear in the mid-distribution function."""
    ordered, n = sorted(values), len(values)
    half = _Z * math.sqrt(level * (1 - level) / n)
    low, high = max(level - half, 0.0) * (n - 1), min(level + half, 1.0) * (n - 1)
    reach = ordered[math.floor(low) : math.ceil(high) + 1]
    if len(set(reach)) == len(reach):
        rank = level * (n - 1)
        below, above = ordered[math.floor(rank)], ordered[math.ceil(rank)]
        return below + (rank - math.floor(rank)) * (above - below)
    places: list[tuple[float, float]] = []
    for value in sorted(set(ordered)):
        under, at = sum(one < value for one in ordered), ordered.count(value)
        places.append(((under + at / 2) / n, value))
    if level <= places[0][0]:
        return places[0][1]
    for (share, value), (next_share, next_value) in pairwise(places):
        if share <= level <= next_share:
            return value + (level - share) / (next_share - share) * (next_value - value)
    return places[-1][1]
