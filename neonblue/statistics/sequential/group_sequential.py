"""The rule of a plan with a planned size: a group-sequential test at whatever looks are taken."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy import optimize

from neonblue.statistics.numerics.tails import deviate, normal_sf
from neonblue.statistics.result import Estimate
from neonblue.statistics.sequential.boundaries import spending_boundaries
from neonblue.statistics.sequential.recursion import MINIMUM_INCREMENT
from neonblue.statistics.sequential.spending import Spending

LARGEST_ALPHA = 0.5
SMALLEST_OUTCOMES = 2
SMALL_ARM = 0.2
_SMALLEST_ALPHA = 1e-290
_HIGHEST = 37.0  # above every finite boundary


@dataclass(frozen=True, slots=True)
class EarlierLook:
    """A look that was taken. information: of its comparison, in any unit, > 0; share: the part of the plan, > 0."""

    information: float
    share: float


@dataclass(frozen=True, slots=True)
class GroupSequential:
    """One look of a group-sequential test, two-sided for metrics and one-sided for guardrails.

    earlier: the looks already taken, information increasing; information: of this look, in the same unit, > 0; share:
    the part of the plan that is reached, 1 at the planned size: the first look there spends what is left, and a stop
    before it leaves the rest unspent. spending: how the error is spent. p-values are repeated p-values: the smallest
    alpha whose boundary this look reaches, so that they agree with the interval at every level, and families of them
    may be judged by Holm. Source: Jennison and Turnbull (2000), chapter 9; Maurer and Bretz (2013).
    """

    earlier: tuple[EarlierLook, ...]
    information: float
    share: float
    spending: Spending = field(default_factory=Spending)

    @classmethod
    def at(cls, looks: Sequence[float], share: float, spending: Spending) -> GroupSequential:
        """The look at `share` after those of `looks` that came before it, the shares standing for the information.

        Looks nearer to this one than the recursion can tell apart are taken for this one.
        """
        before = (look for look in looks if look < share * (1 - MINIMUM_INCREMENT))
        return cls(tuple(EarlierLook(look, look) for look in before), share, share, spending)

    def spent(self, alpha: float) -> float:
        """What may have been spent of a two-sided `alpha` by now, in [0, alpha]."""
        reached = max(self.share, *(look.share for look in self.earlier), 0.0)
        return 2 * self.spending.spent(reached, alpha / 2)

    def ready(self, control: int, treatment: int, outcomes: float) -> bool:
        """From `outcomes_needed` on: what else is too early has a boundary too high."""
        return outcomes >= self.outcomes_needed(control, treatment)

    def outcomes_needed(self, control: int, treatment: int) -> float:
        """SMALLEST_OUTCOMES where an arm has less than a fifth of the units: a lone outcome there is beyond 2 se."""
        return SMALLEST_OUTCOMES if min(control, treatment) < SMALL_ARM * (control + treatment) else 0.0

    def p_value(self, test: Estimate, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """The repeated p-value of this look, in (0, 1]; above LARGEST_ALPHA it is given as 1."""
        z = deviate(test.log10_p)
        if z < self._critical(LARGEST_ALPHA):
            return 1.0

        def excess(log_alpha: float) -> float:
            critical = self._critical(math.exp(log_alpha))
            return 1.0 if math.isinf(critical) else critical - min(z, _HIGHEST)

        # No boundary lies below that of a single test, so no repeated p-value does.
        lowest, highest = math.log(max(test.p_value, _SMALLEST_ALPHA)), math.log(LARGEST_ALPHA)
        if excess(lowest) <= 0:
            return math.exp(lowest)
        return math.exp(float(optimize.brentq(excess, lowest, highest, xtol=1e-10, rtol=1e-12)))

    def nominal_alpha(self, alpha: float, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """P(|Z| > the boundary of this look), at least 1e-290."""
        return max(2 * float(normal_sf(self._critical(alpha))), _SMALLEST_ALPHA)

    def one_sided_alpha(self, alpha: float, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """P(Z > the one-sided boundary of this look), at least 1e-290."""
        return max(float(normal_sf(self._critical(alpha, two_sided=False))), _SMALLEST_ALPHA)

    def _critical(self, alpha: float, *, two_sided: bool = True) -> float:
        return _critical(self, alpha, two_sided)


@functools.lru_cache(maxsize=4096)
def _critical(look: GroupSequential, alpha: float, two_sided: bool) -> float:
    """The boundary of the look in z; one computation serves every metric of an experiment."""
    looks = (*look.earlier, EarlierLook(look.information, look.share))
    bounds = spending_boundaries(
        [each.information for each in looks],
        1.0,
        alpha=alpha,
        two_sided=two_sided,
        spending=look.spending,
        shares=[each.share for each in looks],
    )
    return bounds.critical_z[-1]
