"""Means of two arms: Welch's test on the absolute difference, with the relative lift by Fieller's theorem."""

from __future__ import annotations

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.methods.obstacles import few_units, first, no_variance
from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.double_double import Number
from neonblue.statistics.result import Alternative, Estimate, Method
from neonblue.statistics.status import Status

_ALL_ALIKE = "Every unit of each arm has the same value: no variance to test with."


def mean_variance(n: Number, centred: Number) -> Number:
    """Variance of a mean, s^2 / n with s^2 = centred / (n - 1), of one arm or of arrays.

    n: units, 2 or more; centred: sum of squared deviations from the mean, or what a method leaves of it.
    """
    return centred / (n - 1) / n


def mean_effect(control: Moments, treatment: Moments) -> Effect | Status:
    """The difference of two means with sample variances (divisor n - 1).

    Returns NOT_ENOUGH_UNITS below two units in an arm and ZERO_VARIANCE when both arms are constant.
    """
    problem = too_few(control, treatment)
    if problem:
        return problem
    variances = (mean_variance(control.n, control.centred), mean_variance(treatment.n, treatment.centred))
    problem = first([no_variance(sum(variances), _ALL_ALIKE)])
    if problem:
        return problem
    values, n = (control.mean, treatment.mean), (control.n, treatment.n)
    return Effect.of_arms(Method.WELCH, n, values, variances, diff=treatment.minus(control))


def welch_test(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
    null: float = 0.0,
) -> Estimate | Status:
    """Welch's t-test of "treatment mean - control mean = null" with the interval for the difference.

    t = (diff - null) / sqrt(s_c^2 / n_c + s_t^2 / n_t) with sample variances (divisor n - 1) and Welch's
    degrees of freedom. Returns NOT_ENOUGH_UNITS below two units in an arm, ZERO_VARIANCE when both arms are
    constant. Raises ValueError for an alpha outside (0, 1). Source: Welch (1947).
    """
    effect = mean_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.test(alpha, alternative, null)


def compare_means(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Comparison:
    """One metric, two arms, from moments: means, Welch's test on the difference, and the relative lift.

    Both intervals have level 1 - alpha and agree on the decision. Raises ValueError for an alpha outside (0, 1).
    """
    effect = mean_effect(control, treatment)
    test = effect if isinstance(effect, Status) else effect.test(alpha, alternative)
    lift = effect if isinstance(effect, Status) else effect.lift(alpha, alternative)
    return Comparison.of(control, treatment, test, ZERO_BASELINE if control.n and control.mean == 0 else lift)


def not_testable(control: Moments, treatment: Moments) -> Status | None:
    """The status that stops a test on sample variances, or None when it can go ahead."""
    effect = mean_effect(control, treatment)
    return effect if isinstance(effect, Status) else None


def too_few(control: Moments, treatment: Moments) -> Status | None:
    """NOT_ENOUGH_UNITS where an arm has no sample variance, else None."""
    return first(few_units(control.n, treatment.n))
