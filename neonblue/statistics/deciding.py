"""Which test decides: how a fixed-horizon estimate is judged under the plan that was fixed at launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from neonblue.statistics.experiment import Deciding, Plan
from neonblue.statistics.result import Estimate


class DecidingRule(Protocol):
    """Turns one look at an estimate into a p-value and the level of its interval that the plan allows."""

    @property
    def ready(self) -> bool:
        """Whether the plan allows a verdict at this look."""

    def p_value(self, test: Estimate) -> float:
        """The two-sided p-value that is valid under the plan, in (0, 1]."""

    def nominal_alpha(self, alpha: float) -> float:
        """The fixed-horizon error rate whose interval is the plan's interval at `alpha`, at this look."""


@dataclass(frozen=True, slots=True)
class FixedHorizon:
    """One look, at the planned end: before it there is no verdict."""

    ready: bool

    def p_value(self, test: Estimate) -> float:
        """The test's own p-value."""
        return test.p_value

    def nominal_alpha(self, alpha: float) -> float:
        """`alpha` itself."""
        return alpha


def rule_for(plan: Plan, units: int) -> DecidingRule:
    """The rule of a plan at a look with `units` units over all arms.

    Only the fixed horizon is built from the plan alone; for a sequential plan hand the rule to `analyze`.
    Raises ValueError there: a fixed test in its place would not keep its error rate under peeking.
    """
    if plan.deciding is not Deciding.FIXED:
        raise ValueError(f"deciding: {plan.deciding} needs its own rule, a fixed test can't stand in for it")
    return FixedHorizon(ready=plan.complete(units))
