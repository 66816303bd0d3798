"""Ratio metrics, sum(numerator) / sum(denominator) over units, by the delta method."""

from __future__ import annotations

from dataclasses import dataclass

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.obstacles import FEWEST_UNITS, Obstacle, first, no_variance
from neonblue.statistics.moments import RatioMoments
from neonblue.statistics.numerics.double_double import FloatArray, Number, quotient_difference, residual_sum
from neonblue.statistics.result import Alternative, Estimate, Lift, Method
from neonblue.statistics.status import Status, StatusCode

TWO_SIDED = Alternative.TWO_SIDED
_PROPORTIONAL = "Numerator and denominator are proportional in both arms: no variance to test with."


@dataclass(frozen=True, slots=True)
class RatioValue:
    """One arm's ratio R = sum(m) / sum(d), and the variance per unit of its linearisation (m - R d) / mean(d)."""

    n: int
    ratio: float
    unit_variance: float

    @property
    def variance(self) -> float:
        """Variance of the estimated ratio: unit variance / n."""
        return self.unit_variance / self.n


def ratio_value(arm: RatioMoments) -> RatioValue | Status:
    """The ratio of one arm and Var = (s_m^2 - 2 R s_md + R^2 s_d^2) / mean(d)^2, per unit, divisor n - 1.

    The unit is the randomisation unit: numerator and denominator are its totals, so that several events of
    one unit are not taken for independent. Returns NOT_ENOUGH_UNITS below two units and ZERO_DENOMINATOR
    where the denominators sum to 0. Fails where mean(d) is within a few standard errors of 0. Source: Deng,
    Knoblich and Lu (2018), Applying the Delta Method in Metric Analytics.
    """
    problem = first(arm_obstacles(arm.n, arm.sum_d))
    if problem:
        return problem
    ratio = arm.sum_m / arm.sum_d
    m, d = arm.numerator, arm.denominator
    scales = (m.centred, d.centred) if arm.centred else (arm.sum_mm, arm.sum_dd)
    residual = residual_sum(m.centred, d.centred, arm.cross, ratio, *scales)
    return RatioValue(arm.n, ratio, linearised_variance(arm.n, float(residual), d.mean))


def linearised_variance(n: Number, residual: Number, mean_d: Number) -> Number:
    """Variance per unit of (m - R d) / mean(d), divisor n - 1, of one arm or of arrays.

    n: units, 2 or more; residual: sum of squares of m - R d; mean_d: of the denominator, not 0.
    """
    return residual / (n - 1) / mean_d**2


def arm_obstacles(n: float | FloatArray, sum_d: float | FloatArray) -> list[Obstacle]:
    """Why an arm, or each of an array of arms, has no ratio with a variance."""
    few = f"An arm has {{n}} units; at least {FEWEST_UNITS} are needed for a variance."
    return [
        Obstacle(n < FEWEST_UNITS, StatusCode.NOT_ENOUGH_UNITS, few, n),
        Obstacle(
            sum_d == 0, StatusCode.ZERO_DENOMINATOR, "The denominators of an arm sum to zero: no ratio."
        ),
    ]


def ratio_effect(control: RatioMoments, treatment: RatioMoments) -> Effect | Status:
    """The difference of two ratios with the delta method's variances.

    Statuses as `ratio_value`, and ZERO_VARIANCE when neither arm varies.
    """
    c, t = ratio_value(control), ratio_value(treatment)
    if isinstance(c, Status):
        return c
    if isinstance(t, Status):
        return t
    variances = (c.variance, t.variance)
    problem = first([no_variance(sum(variances), _PROPORTIONAL)])
    if problem:
        return problem
    diff = ratio_difference(control, treatment)
    return Effect.of_arms(Method.RATIO_DELTA, (c.n, t.n), (c.ratio, t.ratio), variances, diff=diff)


def ratio_difference(control: RatioMoments, treatment: RatioMoments) -> float:
    """Ratio of treatment minus ratio of control; nan where the denominators of an arm sum to 0."""
    return float(quotient_difference(treatment.sum_m, treatment.sum_d, control.sum_m, control.sum_d))


def ratio_test(
    control: RatioMoments,
    treatment: RatioMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    null: float = 0.0,
) -> Estimate | Status:
    """Test of "ratio of treatment - ratio of control = null" with the interval for the difference.

    The delta-method variances with Welch's degrees of freedom: with a denominator of 1 for every unit it is
    `welch_test`. Statuses as `ratio_value`, and ZERO_VARIANCE when neither arm varies.
    """
    effect = ratio_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.test(alpha, alternative, null)


def ratio_lift(
    control: RatioMoments,
    treatment: RatioMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
) -> Lift | Status:
    """Relative lift of the ratio with Fieller's interval, dual to `ratio_test`.

    A share of the control's ratio, 0.05 meaning +5 %. Statuses and errors as `ratio_test`, and ZERO_BASELINE or
    RATIO_UNBOUNDED. Formula and source as `fieller_limits`.
    """
    effect = ratio_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.lift(alpha, alternative)


def compare_ratios(
    control: RatioMoments,
    treatment: RatioMoments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
) -> Comparison:
    """One ratio metric, two arms: ratios, the test on their difference, and the relative lift.

    Ratios and difference in numerator units per denominator unit; both intervals have level 1 - alpha and agree on the
    decision. Statuses, errors, formula and source as `ratio_test`.
    """
    ratios = [arm.sum_m / arm.sum_d if arm.sum_d else None for arm in (control, treatment)]
    diff = None if None in ratios else ratio_difference(control, treatment)
    return Comparison(
        n_control=control.n,
        n_treatment=treatment.n,
        mean_control=ratios[0],
        mean_treatment=ratios[1],
        diff=diff,
        absolute=ratio_test(control, treatment, alpha, alternative),
        relative=ratio_lift(control, treatment, alpha, alternative),
    )
