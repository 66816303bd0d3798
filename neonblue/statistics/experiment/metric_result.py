"""What is said of one metric in one arm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics.experiment.experiment import Metric, Role
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.noninferiority import NonInferiority
from neonblue.statistics.status import Status


class Verdict(StrEnum):
    """What a metric's test says about an arm, in the metric's own direction."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"  # there is no test


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look knew and used up: the columns that are kept of it.

    information: sum over strata of n_c n_t / (n_c + n_t), in units. share: of the plan, 0 without one. spent: of alpha,
    by this comparison, in [0, 1]. z: the deviate of the look's own test, signed as the difference; None without a test.
    """

    information: float
    share: float
    spent: float
    z: float | None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric in one treatment arm.

    comparison: as of now, its interval at the level at which it agrees with `verdict`. p_value: valid under the plan;
    log10_p: its logarithm, finite also where it underflows; adjusted_p: within the metric's family; all of them None
    while the plan allows no verdict, or where no look has had a test. Under a plan with looks, p-values and intervals
    are those of the look that stands.
    guardrail: the non-inferiority test of a guardrail with a margin, at this look; guardrail_state: what stands of it.
    fallback: why the covariate was not used, where there was one. fixed_p: the p-value of a single look, given at the
    planned end only, None before it: whoever watches it beforehand would be misled. rejected: whether "no difference"
    is rejected, now or at an earlier look. looked: of a look taken now; None where p and interval are an earlier one's.
    final: whether no look will follow. waits: why a rate with units enough has no p-value yet: too few outcomes.
    """

    metric: Metric
    arm: str
    comparison: Comparison
    p_value: float | None
    adjusted_p: float | None
    verdict: Verdict
    guardrail: NonInferiority | Status | None = None
    fallback: Status | None = None
    fixed_p: float | None = None
    guardrail_state: GuardrailState | None = None
    log10_p: float | None = None
    rejected: bool = False
    looked: Looked | None = None
    final: bool = False
    waits: Status | None = None

    @property
    def speaks_against(self) -> bool:
        """Whether it shows harm: of a guardrail with a margin its breach, else a significant change for the worse."""
        if self.metric.role is Role.GUARDRAIL and self.metric.margin is not None:
            return self.guardrail_state is GuardrailState.BREACHED
        return self.verdict is Verdict.WORSE
