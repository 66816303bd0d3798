"""The rule of a group-sequential plan: which error each look may use up, given the looks before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import optimize

from neonblue.statistics import Deciding, Estimate, Plan
from neonblue.statistics.deciding import DecidingRule, rule_for
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.recursion import MINIMUM_INCREMENT
from neonblue.statistics.tails import normal_sf

_SMALLEST = 1e-290
_LARGEST = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class GroupSequential:
    """Lan-DeMets boundaries with O'Brien-Fleming's spending at the looks taken.

    information: shares of the planned units at the looks so far, ascending, the present one last. final: there will be
    no further look, so it spends what is left.
    """

    information: tuple[float, ...]
    final: bool = False

    def ready(self, control: int, treatment: int) -> bool:
        """Whether both arms have units: the boundaries themselves guard the early looks."""
        return bool(self.information) and min(control, treatment) > 1

    def p_value(self, test: Estimate, units: int) -> float:
        """The repeated p-value: the smallest error rate at which this look's boundary is crossed (Jennison and
        Turnbull 2000, section 9.5)."""
        if self.nominal_alpha(_LARGEST, units) <= test.p_value:
            return 1.0
        if self.nominal_alpha(_SMALLEST, units) >= test.p_value:
            return _SMALLEST
        return float(
            optimize.brentq(
                lambda alpha: self.nominal_alpha(alpha, units) - test.p_value, _SMALLEST, _LARGEST, xtol=1e-12
            )
        )

    def nominal_alpha(self, alpha: float, units: int) -> float:  # noqa: ARG002 - the protocol's signature
        """The two-sided fixed-horizon error rate of this look's boundary at `alpha`; at least 1e-290."""
        return max(2 * float(normal_sf(_critical(self.information, alpha, self.final, True))), _SMALLEST)

    def one_sided_alpha(self, alpha: float, units: int) -> float:  # noqa: ARG002 - the protocol's signature
        """The one-sided fixed-horizon error rate of this look's one-sided boundary at `alpha`."""
        return max(float(normal_sf(_critical(self.information, alpha, self.final, False))), _SMALLEST)


def rule_of(plan: Plan, units: int, looks: Sequence[int] = ()) -> DecidingRule:
    """The rule that decides under the plan, at a look with `units` units over all arms.

    looks: units over all arms at the earlier looks, ascending, for a group-sequential plan.
    """
    if plan.deciding is not Deciding.GROUP_SEQUENTIAL or plan.planned_units is None:
        return rule_for(plan, units)
    taken = [min(look, units) / plan.planned_units for look in (*looks, units) if look > 0]
    information = _apart(taken)
    return GroupSequential(information, plan.ended)


def _apart(taken: Sequence[float]) -> tuple[float, ...]:
    """The looks that brought new information: one without it is no look and must not be judged."""
    kept: list[float] = []
    for level in taken:
        if level > 0 and level - (kept[-1] if kept else 0.0) >= MINIMUM_INCREMENT * level:
            kept.append(level)
    return tuple(kept)


@lru_cache(maxsize=4096)
def _critical(information: tuple[float, ...], alpha: float, final: bool, two_sided: bool) -> float:
    """The last look's critical value; none can be crossed before the first."""
    if not information:
        return math.inf
    boundaries = spending_boundaries(information, 1.0, alpha=alpha, two_sided=two_sided, final=final)
    return boundaries.critical_z[-1]
