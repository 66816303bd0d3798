"""Critical z-values of group-sequential tests, solved look by look from the error each look may use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy import optimize

from neonblue.statistics.numerics.tails import normal_quantile, normal_sf
from neonblue.statistics.sequential.recursion import (
    START,
    Paths,
    advance,
    crossing_probabilities,
    exceeds,
    require_increasing,
    tail_and_density,
)
from neonblue.statistics.sequential.spending import Spending

_HIGHEST = 37.0  # P(Z > 37) is still a double above 0
_SMALLEST = 1e-200  # error increments below it give an infinite boundary: no double can tell them from 0

_CLOSE = 1e-10
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Critical values of the looks taken.

    information: as given, in any unit. critical_z: reject at a look when z (|z| if two-sided) is at least this;
    inf where no error is left to spend. alpha_spent: cumulative error, both sides together if two-sided.
    """

    information: tuple[float, ...]
    critical_z: tuple[float, ...]
    alpha_spent: tuple[float, ...]
    two_sided: bool

    @property
    def nominal_p(self) -> tuple[float, ...]:
        """Two-sided fixed-horizon p-value that each critical value stands for, in [0, 1]."""
        return tuple(2 * float(normal_sf(z)) for z in self.critical_z)


def spending_boundaries(
    information: Sequence[float],
    planned_information: float,
    *,
    alpha: float = 0.05,
    two_sided: bool = True,
    spending: Spending | None = None,
    shares: Sequence[float] | None = None,
    final: bool = False,
) -> Boundaries:
    """Lan-DeMets boundaries at the information actually reached, whatever the looks were meant to be.

    information: strictly increasing levels of the looks so far, in the unit of `planned_information` (e.g. 1 / se^2).
    A two-sided test spends alpha / 2 on either side. From planned_information on all error is spent, while the
    correlations keep using the information actually reached (an overrun); a look after that has boundary inf, for
    nothing is left to spend. shares: the part of the plan that each look had reached, where that is not its
    information over the planned one; error once spent is never taken back. final: the last look given is the last one
    there will be, so it spends the rest.
    Accuracy of the critical values: 1e-6. Raises ValueError for impossible levels.
    """
    _require_rate(alpha)
    require_increasing(information)
    if not (math.isfinite(planned_information) and planned_information > 0):
        raise ValueError(f"planned_information: must be positive, got {planned_information}")
    spending = spending or Spending()
    one_sided = alpha / 2 if two_sided else alpha
    reached = [level / planned_information for level in information] if shares is None else shares
    targets = list(itertools.accumulate((spending.spent(t, one_sided) for t in reached), max))
    if final and targets:
        targets[-1] = one_sided
    critical = _solve(information, targets, two_sided)
    sides = 2 if two_sided else 1
    return Boundaries(tuple(information), critical, tuple(sides * t for t in targets), two_sided)


def shaped_boundaries(
    information: Sequence[float], *, alpha: float = 0.05, two_sided: bool = True, delta: float = 0.0
) -> Boundaries:
    """Boundaries z_k = C * t_k ** (delta - 1/2) for looks fixed in advance, t_k the share of the last level.

    delta = 0 is O'Brien and Fleming's shape, 1/2 Pocock's, between them Wang and Tsiatis's (1987, Biometrics 43);
    C is found so that the error over all looks is alpha. Raises ValueError for impossible levels.
    """
    _require_rate(alpha)
    require_increasing(information)
    shape = [(level / information[-1]) ** (delta - 0.5) for level in information]

    def bounds(constant: float) -> list[float]:
        return [constant * s for s in shape]

    def excess(constant: float) -> float:
        return (
            crossing_probabilities(information, _lower(bounds(constant), two_sided), bounds(constant)).total
            - alpha
        )

    return _boundaries(information, bounds(_root(excess, lowest=1e-3)), two_sided)


def haybittle_peto_boundaries(
    information: Sequence[float], *, alpha: float = 0.05, two_sided: bool = True, interim: float = 3.0
) -> Boundaries:
    """A constant `interim` critical value at every look but the last, which is adjusted to keep alpha in all.

    Source: Haybittle (1971), Peto et al. (1976). Raises ValueError for impossible levels.
    """
    _require_rate(alpha)
    require_increasing(information)
    early = [interim] * (len(information) - 1)

    def excess(last: float) -> float:
        upper = [*early, last]
        return crossing_probabilities(information, _lower(upper, two_sided), upper).total - alpha

    return _boundaries(information, [*early, _root(excess, lowest=1e-3)], two_sided)


def repeated_testing_error(looks: int, z: float) -> float:
    """P(|z_k| >= z at any of `looks` equally spaced looks) without an effect: what naive peeking costs, in [0, 1].

    looks >= 1; z > 0. Source: Armitage, McPherson and Rowe (1969).
    """
    information = [(k + 1) / looks for k in range(looks)]
    return crossing_probabilities(information, [-z] * looks, [z] * looks).total


def _solve(information: Sequence[float], targets: Sequence[float], two_sided: bool) -> tuple[float, ...]:
    paths, spent, critical = START, 0.0, []
    for look, level in enumerate(information):
        z = _boundary(paths, level, targets[look] - spent)
        critical.append(z)
        spent = max(spent, targets[look])
        if look + 1 < len(information):
            finest = min(level - paths.information, information[look + 1] - level)
            paths = advance(paths, level, -z if two_sided else -math.inf, z, finest=finest)
    return tuple(critical)


def _boundary(paths: Paths, information: float, error: float) -> float:
    """The z above which the surviving paths have probability `error`."""
    if error < _SMALLEST:
        return math.inf
    # A look alone has the highest boundary. The tail's logarithm is concave, so Newton's steps from there come nearer.
    z, log_error, steps = -float(normal_quantile(error)), math.log(error), 0
    tail, density = tail_and_density(paths, information, z)
    while steps < _STEPS and min(tail, density) > _SMALLEST:
        step = (math.log(tail) - log_error) * tail / density
        z, steps = z + step, steps + 1
        if abs(step) < _CLOSE:
            return z
        tail, density = tail_and_density(paths, information, z)
    return _root(lambda z: math.log(max(exceeds(paths, information, z), 1e-320)) - log_error)


def _boundaries(information: Sequence[float], critical: Sequence[float], two_sided: bool) -> Boundaries:
    crossing = crossing_probabilities(information, _lower(critical, two_sided), critical)
    spent = tuple(itertools.accumulate((crossing.upper + crossing.lower).tolist()))
    return Boundaries(tuple(information), tuple(critical), spent, two_sided)


def _lower(upper: Sequence[float], two_sided: bool) -> list[float]:
    return [-z if two_sided else -math.inf for z in upper]


def _root(function: Callable[[float], float], lowest: float = -_HIGHEST / 4) -> float:
    return float(optimize.brentq(function, lowest, _HIGHEST, xtol=1e-10, rtol=1e-12))


def _require_rate(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: must lie inside (0, 1), got {alpha}")
