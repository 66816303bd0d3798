"""What earlier looks at a comparison have left: what was rejected then stands, whatever comes later."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.result import Interval
from neonblue.statistics.sequential.group_sequential import EarlierLook
from neonblue.statistics.sequential.recursion import MINIMUM_INCREMENT


class GuardrailState(StrEnum):
    """What is known of a guardrail against its margin."""

    OPEN = "open"  # neither is shown
    HELD = "held"  # the loss is less than the margin
    BREACHED = "breached"  # the loss is more


@dataclass(frozen=True, slots=True)
class Standing:
    """One metric of one arm after the looks taken so far.

    looks: with what they knew, ascending. p_value, adjusted_p, interval, relative (of the lift) and diff, the
    difference then: of the look that rejected, else of the last one; in a confidence sequence p is the smallest so far
    and interval the intersection. rejected: whether "no difference" was rejected, within the metric's family.
    guardrail: against its margin; a breach stands, and so does a margin that was held unless it is breached later.
    share: the largest part of the plan that any look reached, also one that found nothing to test with.
    """

    looks: tuple[EarlierLook, ...] = ()
    p_value: float | None = None
    log10_p: float | None = None
    adjusted_p: float | None = None
    diff: float | None = None
    interval: Interval | None = None
    relative: Interval | None = None
    rejected: bool = False
    guardrail: GuardrailState | None = None
    share: float = 0.0

    @property
    def final(self) -> bool:
        """Whether a look at the planned size or past it was taken: there is no other."""
        return max(self.share, self.looks[-1].share if self.looks else 0.0) >= 1

    def grown(self, information: float) -> bool:
        """Whether so much has come since the last look that there is anything new to look at."""
        last = self.looks[-1].information if self.looks else 0.0
        return information - last >= MINIMUM_INCREMENT * information > 0


NOTHING = Standing()


def guardrail_after(before: GuardrailState | None, now: GuardrailState | None) -> GuardrailState | None:
    """The state after one more look."""
    for state in (GuardrailState.BREACHED, GuardrailState.HELD):
        if state in (before, now):
            return state
    return now or before


def intersection(before: Interval | None, now: Interval | None) -> Interval | None:
    """Both intervals at once, at the lower of their levels.

    Where they have nothing in common the effect has changed, and each holds for its own time: the first one that leaves
    0 out stands, as the rejection does that came with it.
    """
    if before is None or now is None:
        return before or now
    lower, upper = max(before.lower, now.lower), min(before.upper, now.upper)
    if lower > upper:
        return now if before.contains(0.0) else before
    return Interval(lower, upper, min(before.level, now.level))
