"""Which test decides: how a fixed-horizon estimate is judged under the plan that was fixed at launch.

Every rule speaks of a test by the normal deviate with the test's two-sided p-value. For a t statistic that is smaller
than the statistic itself, so few units make a sequential verdict more careful, and p-value and interval agree.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from neonblue.statistics import numbers
from neonblue.statistics.experiment.adjusting import plain
from neonblue.statistics.experiment.experiment import Inference, Plan
from neonblue.statistics.methods.by_kind import KINDS, MetricKind, Pair
from neonblue.statistics.methods.stratified import information
from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.tails import deviate, normal_sf
from neonblue.statistics.result import Estimate
from neonblue.statistics.sequential.confidence_sequence import (
    evidence_p,
    log_evidence,
    mixture_precision,
    multiplier,
)
from neonblue.statistics.sequential.group_sequential import EarlierLook, GroupSequential
from neonblue.statistics.sequential.recursion import MINIMUM_INCREMENT
from neonblue.statistics.sequential.spending import Spending
from neonblue.statistics.status import Status, StatusCode

SMALLEST_ARM = 100
SMALLEST_OUTCOMES = 5
_SMALLEST_ALPHA = 1e-290
_BY_CHANCE = 0.02


@dataclass(frozen=True, slots=True)
class Sample:
    """How much a comparison knows.

    n_*: units; information: sum over strata of n_c n_t / (n_c + n_t), in units. outcomes: of a proportion, the
    successes or failures, whichever are fewer, that the arm with fewest of them would have if the arms were alike; inf
    of other metrics.
    """

    n_control: int
    n_treatment: int
    information: float
    outcomes: float = math.inf

    @classmethod
    def of(cls, kind: MetricKind, strata: Sequence[Pair]) -> Self:
        """Of the strata that are compared."""
        sizes = [(control.n, treatment.n) for control, treatment in strata]
        expected = _expected_outcomes(strata) if KINDS[kind].is_share else math.inf
        return cls(sum(c for c, _ in sizes), sum(t for _, t in sizes), information(strata), expected)

    @property
    def units(self) -> float:
        """Units of both arms together that would know as much at equal shares: n where the arms are equal."""
        return 4 * self.information


class InferenceRule(Protocol):
    """Turns one look at an estimate into a p-value and the level of its interval that the plan allows.

    units: of both arms together in the comparison at hand, as `Sample.units`.
    """

    def ready(self, control: int, treatment: int, outcomes: float) -> bool:
        """Whether the plan allows a verdict at this look, with so many units in the arms and `Sample.outcomes`."""

    def outcomes_needed(self, control: int, treatment: int) -> float:
        """The `Sample.outcomes` of a proportion from which on it does, in arms of so many units; 0 for any."""

    def p_value(self, test: Estimate, units: float) -> float:
        """The two-sided p-value that is valid under the plan, in [0, 1]."""

    def nominal_alpha(self, alpha: float, units: float) -> float:
        """The fixed-horizon error rate whose interval is the plan's interval at `alpha`, at this look."""

    def one_sided_alpha(self, alpha: float, units: float) -> float:
        """The fixed-horizon one-sided error rate whose bound is the plan's bound at `alpha`."""

    def spent(self, alpha: float) -> float:
        """What may have been spent of a two-sided `alpha` by this look, in [0, alpha]."""


@dataclass(frozen=True, slots=True)
class FixedHorizon:
    """One look, at the planned end: before it there is no verdict."""

    complete: bool

    def ready(self, control: int, treatment: int, outcomes: float) -> bool:  # noqa: ARG002 - the protocol's signature
        """Whether the planned end is there."""
        return self.complete

    def outcomes_needed(self, control: int, treatment: int) -> float:  # noqa: ARG002 - the protocol's signature
        """None: one look adds no error to another's."""
        return 0.0

    def p_value(self, test: Estimate, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """The test's own p-value."""
        return test.p_value

    def nominal_alpha(self, alpha: float, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """`alpha` itself."""
        return alpha

    def one_sided_alpha(self, alpha: float, units: float) -> float:  # noqa: ARG002 - the protocol's signature
        """`alpha` itself."""
        return alpha

    def spent(self, alpha: float) -> float:
        """All of it at the planned end, nothing before."""
        return alpha if self.complete else 0.0


@dataclass(frozen=True, slots=True)
class AnyTime:
    """Asymptotic confidence sequence: a verdict at any look from SMALLEST_ARM units in each arm.

    Of a proportion also from SMALLEST_OUTCOMES expected outcomes on: with one or two in a small arm the score test has
    nearly all of its error in one tail, and each look would add to it.

    alpha: the level the sequence is tuned for, in (0, 1/2); tuning: units of both arms at which it is
    tightest, > 0. Both are part of the plan. Other levels of the same family use the same tuning, so that p-value
    and interval are dual. Raises ValueError for values out of range.
    """

    alpha: float
    tuning: float

    def __post_init__(self) -> None:
        mixture_precision(self.alpha, self.tuning)
        if self.alpha >= 0.5:
            raise ValueError(f"alpha: must be below 0.5 for a sequence, got {self.alpha}")

    def ready(self, control: int, treatment: int, outcomes: float) -> bool:
        """Whether each arm has the units and outcomes below which the normal approximation is not to be trusted."""
        enough = outcomes >= self.outcomes_needed(control, treatment)
        return min(control, treatment) >= SMALLEST_ARM and enough

    def outcomes_needed(self, control: int, treatment: int) -> float:  # noqa: ARG002 - the protocol's signature
        """SMALLEST_OUTCOMES, whatever the arms' sizes: there is no end at which they would be missed."""
        return SMALLEST_OUTCOMES

    def p_value(self, test: Estimate, units: float) -> float:
        """Always-valid p of this look alone: min(1, 1 / e-value)."""
        z = deviate(test.log10_p)
        return evidence_p(log_evidence(z, units, mixture_precision(self.alpha, self.tuning)))[0]

    def nominal_alpha(self, alpha: float, units: float) -> float:
        """P(|Z| > the sequence's half-width in standard errors), at least 1e-290."""
        rho2 = mixture_precision(self.alpha, self.tuning)
        return max(2 * float(normal_sf(multiplier(units, alpha, rho2))), _SMALLEST_ALPHA)

    def one_sided_alpha(self, alpha: float, units: float) -> float:
        """P(Z > the one-sided sequence's distance in standard errors), at least 1e-290."""
        rho2 = mixture_precision(2 * self.alpha, self.tuning)
        distance = multiplier(units, alpha, rho2, two_sided=False)
        return max(float(normal_sf(distance)), _SMALLEST_ALPHA)

    def spent(self, alpha: float) -> float:
        """All of it: it is shared by all looks there may ever be."""
        return alpha


def too_few_outcomes(
    sample: Sample, needed: float = SMALLEST_OUTCOMES, *, ended: bool = False
) -> Status | None:
    """Why a proportion is not judged yet, and after how many units it will be; None where it is.

    None, too, before there is any outcome: the test has a reason of its own then. needed: `outcomes_needed` of the
    rule, by default a confidence sequence's. ended: whether no look will follow.
    """
    if not 0 < sample.outcomes < needed:
        return None
    units = numbers.two_digits_up((sample.n_control + sample.n_treatment) * needed / sample.outcomes)
    message = (
        f"{'Too few outcomes' if ended else 'Too early'}: {sample.outcomes:.1f} of at least {needed:g} expected "
        f"outcomes in the smaller arm, enough after about {units:,} units of both."
    )
    return Status(StatusCode.TOO_EARLY, message)


def rule_for(
    plan: Plan, sample: Sample, share: float = 0.0, earlier: Sequence[EarlierLook] = ()
) -> InferenceRule:
    """The rule of a plan for one comparison.

    share: the part of the planned size that is reached; earlier: the looks taken, else those of the plan, whose shares
    then stand for their information. Raises ValueError for a sequential plan whose alpha is 0.5 or more.
    """
    if plan.inference is Inference.CONFIDENCE_SEQUENCE:
        return AnyTime(plan.alpha, plan.tuning)
    if plan.planned_units is None or plan.inference is Inference.FIXED:
        return FixedHorizon(plan.ended or share >= 1)
    spending = Spending(plan.spending)
    now = EarlierLook(sample.information, max(share, 1 / plan.planned_units))
    if not earlier:
        return GroupSequential.at(plan.looks, now.share, spending)
    looks = _in_shares((*earlier, now))
    return GroupSequential(looks[:-1], looks[-1].information, now.share, spending)


def _in_shares(looks: tuple[EarlierLook, ...]) -> tuple[EarlierLook, ...]:
    """The shares for the information where it grew with them: arms that differ by chance alone have one boundary."""
    worth = [look.information / look.share for look in looks]
    grown = all(
        late.share - early.share >= MINIMUM_INCREMENT * late.share
        for early, late in itertools.pairwise(looks)
    )
    if not grown or max(worth) > min(worth) * (1 + _BY_CHANCE):
        return looks
    return tuple(EarlierLook(look.share, look.share) for look in looks)


def _expected_outcomes(strata: Sequence[Pair]) -> float:
    """The least of successes and failures that either arm would have at the rate of both, added up over the strata."""
    counts = [(plain(control), plain(treatment)) for control, treatment in strata]
    live = [(c, t) for c, t in counts if isinstance(c, Moments) and isinstance(t, Moments) and c.n and t.n]
    successes = [(c.n, t.n, (c.sum + t.sum) / (c.n + t.n)) for c, t in live]
    return min(
        math.fsum(pair[arm] * (pair[2] if of_successes else 1 - pair[2]) for pair in successes)
        for arm in (0, 1)
        for of_successes in (True, False)
    )
