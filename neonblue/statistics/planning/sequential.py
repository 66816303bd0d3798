"""What looking early costs: the factor by which a sequential test's sample exceeds the fixed one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy import optimize

from neonblue.statistics.numerics.tails import normal_sf
from neonblue.statistics.planning.means import Design, impossible
from neonblue.statistics.sequential.boundaries import Boundaries, spending_boundaries
from neonblue.statistics.sequential.confidence_sequence import DEFAULT_TUNING, mixture_precision, multiplier
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
    alpha = design.alpha / design.comparisons
    bounds = spending_boundaries(fractions, 1.0, alpha=alpha, two_sided=design.sided == 2, spending=spending)
    return boundary_inflation(design, bounds)


def boundary_inflation(design: Design, bounds: Boundaries) -> float | Status:
    """As `group_sequential_inflation`, of boundaries of any shape at information shares that end at 1.

    A factor >= 1. Statuses and source as there.
    """
    problem = design.problem()
    if problem:
        return problem
    upper = bounds.critical_z
    lower = [-z if bounds.two_sided else -math.inf for z in upper]

    def shortfall(drift: float) -> float:
        return (
            float(crossing_probabilities(bounds.information, lower, upper, drift).upper.sum()) - design.power
        )

    fixed = design.z_alpha + design.z_power
    highest = 2 * fixed + 1
    if shortfall(highest) < 0:
        return impossible("These looks would need more than four times the fixed sample.")
    drift = float(optimize.brentq(shortfall, 0.0, highest, xtol=1e-9))
    return max(1.0, (drift / fixed) ** 2)


def always_valid_inflation(
    design: Design, fixed_units: float, tuning: float = DEFAULT_TUNING
) -> float | Status:
    """Units at which the confidence sequence has design.power at that look alone, over the fixed test's.

    fixed_units: N of the fixed test, both arms together, > 0; tuning: the sequence's N*. The factor f solves
    f = ((c(f N) + z_power) / (z_alpha + z_power))^2 with c(n) the sequence's half-width in standard errors. It is what
    the sequence needs at most: an earlier look may decide already. IMPOSSIBLE_REQUEST for an impossible design or
    no units. Source: Waudby-Smith et al. (2024) for c.
    """
    problem = design.problem()
    if problem:
        return problem
    if not 0 < fixed_units < math.inf:
        return impossible("The fixed test needs a number of units above 0.")
    if design.alpha / design.comparisons >= 0.5:
        return impossible(f"A confidence sequence needs an alpha below 0.5, got {design.alpha:g}.")
    fixed = design.z_alpha + design.z_power

    def excess(log_factor: float) -> float:
        width = _width(design, fixed_units * math.exp(log_factor), tuning)
        return log_factor - 2 * math.log((width + design.z_power) / fixed)

    highest = 1.0
    while excess(highest) < 0:
        highest *= 2
    return math.exp(float(optimize.brentq(excess, 0.0, highest, xtol=1e-12)))


def at_any_time(design: Design, units: float, tuning: float = DEFAULT_TUNING) -> Design:
    """The fixed design whose critical value is the confidence sequence's at `units` units, both arms together, > 0.

    Its power and detectable effect at these units are the sequence's. Raises ValueError for an alpha per comparison of
    0.5 or more, or a tuning size that is not positive.
    """
    tail = float(normal_sf(_width(design, units, tuning)))
    return replace(design, alpha=tail * design.sided * design.comparisons)


def _width(design: Design, units: float, tuning: float) -> float:
    """Half-width of the confidence sequence in standard errors."""
    alpha, two_sided = design.alpha / design.comparisons, design.sided == 2
    rho2 = mixture_precision(alpha if two_sided else 2 * alpha, tuning)
    return multiplier(units, alpha, rho2, two_sided=two_sided)
