"""What looking early costs: the factor by which a group-sequential test's sample exceeds the fixed one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import optimize

from neonblue.statistics.planning import Design, impossible
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.recursion import crossing_probabilities
from neonblue.statistics.sequential.spending import Spending
from neonblue.statistics.status import Status


def equal_looks(looks: int) -> tuple[float, ...]:
    """Information fractions of equally spaced looks, the last at 1. Raises ValueError below one look."""
    if looks < 1:
        raise ValueError(f"looks: must be at least 1, got {looks}")
    return tuple((k + 1) / looks for k in range(looks))


def group_sequential_inflation(
    design: Design, fractions: Sequence[float], spending: Spending | None = None
) -> float | Status:
    """Largest sample of a group-sequential test over the fixed test's, >= 1 up to rounding.

    fractions: increasing information fractions of the looks, the last 1; spending: default O'Brien-Fleming.
    It is (drift / (z_alpha + z_power))^2, the drift being where the boundaries are crossed in the true direction
    with probability design.power. Returns IMPOSSIBLE_REQUEST for an impossible design. Raises ValueError for
    fractions that do not grow or do not end at 1. Source: Jennison and Turnbull (2000), chapter 7.
    """
    problem = design.problem()
    if problem:
        return problem
    if not fractions or fractions[-1] != 1:
        raise ValueError(f"fractions: must end at 1, got {list(fractions)}")
    two_sided = design.sided == 2
    alpha = design.alpha / design.comparisons
    upper = spending_boundaries(
        fractions, 1.0, alpha=alpha, two_sided=two_sided, spending=spending
    ).critical_z
    lower = [-z if two_sided else -math.inf for z in upper]

    def shortfall(drift: float) -> float:
        return float(crossing_probabilities(fractions, lower, upper, drift).upper.sum()) - design.power

    fixed = design.z_alpha + design.z_power
    highest = 2 * fixed + 1
    if shortfall(highest) < 0:
        return impossible("These looks would need more than four times the fixed sample.")
    drift = float(optimize.brentq(shortfall, 0.0, highest, xtol=1e-9))
    return max(1.0, (drift / fixed) ** 2)
