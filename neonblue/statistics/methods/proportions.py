"""Two proportions by large-sample theory: unpooled and pooled z tests, Newcombe and Agresti-Caffo intervals.

Arms are `Moments` whose values are 0 or 1: `sum` counts the successes.
"""

from __future__ import annotations

import math

import scipy  # its `stats`, which takes long to import, when it is first used

from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.fieller import ZERO_BASELINE
from neonblue.statistics.methods.obstacles import Obstacle, first, no_variance
from neonblue.statistics.methods.t_test import critical_value, infer
from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.double_double import FloatArray, Number
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

TWO_SIDED = Alternative.TWO_SIDED


def proportion_effect(control: Moments, treatment: Moments) -> Effect | Status:
    """The difference of two proportions with each arm's own variance p (1 - p) / n, judged by z.

    Returns NO_USERS for an empty arm and ZERO_VARIANCE when each arm has only successes or only failures.
    Raises ValueError for arms that are not zeros and ones.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    variances = (rate_variance(control.n, control.sum), rate_variance(treatment.n, treatment.sum))
    problem = first([no_variance(sum(variances), _ALL_ALIKE)])
    if problem:
        return problem
    values, n = (control.mean, treatment.mean), (control.n, treatment.n)
    diff = treatment.minus(control)
    return Effect.of_arms(Method.UNPOOLED_PROPORTIONS, n, values, variances, diff=diff, normal=True)


def unpooled_test(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    null: float = 0.0,
) -> Estimate | Status:
    """z test of a difference of proportions with each arm's own variance p (1 - p) / n, and its Wald interval.

    Returns NO_USERS for an empty arm and ZERO_VARIANCE when each arm has only successes or only failures.
    Raises ValueError for arms that are not zeros and ones, or alpha outside (0, 1).
    Fails for few successes or failures and lopsided allocation: there `score_test` is right.
    """
    effect = proportion_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.test(alpha, alternative, null)


def pooled_test(
    control: Moments,
    treatment: Moments,
    alpha: float = 0.05,
    alternative: Alternative = TWO_SIDED,
    continuity_correction: bool = False,
) -> Estimate | Status:
    """z test of equal proportions with the pooled variance p (1 - p) (1/n_c + 1/n_t); its square is chi-square.

    The interval is diff -+ c se with the same pooled se, so it is dual to the test but not a good interval
    for a difference that is not 0. The continuity correction is Yates', at most the observed difference.
    Statuses and errors as `unpooled_test`. Source: Fleiss, Levin and Paik (2003), section 3.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    rate = (control.sum + treatment.sum) / (control.n + treatment.n)
    inverse = 1 / control.n + 1 / treatment.n
    variance = rate * (1 - rate) * inverse
    problem = first([no_variance(variance, _ALL_ALIKE)])
    if problem:
        return problem
    diff = treatment.minus(control)
    shift = math.copysign(min(0.5 * inverse, abs(diff)), diff) if continuity_correction else 0.0
    test = infer(diff, math.sqrt(variance), math.inf, alpha, alternative, shift)
    return test.estimate(alpha, Method.POOLED_PROPORTIONS)


def unpooled_lift(
    control: Moments, treatment: Moments, alpha: float = 0.05, alternative: Alternative = TWO_SIDED
) -> Lift | Status:
    """Relative lift of a proportion with Fieller's interval, dual to `unpooled_test`.

    A share of the control's rate, 0.05 meaning +5 %. Statuses and errors as `unpooled_test`, and ZERO_BASELINE or
    RATIO_UNBOUNDED. Formula and source as `fieller_limits`.
    """
    if control.n and control.sum == 0:
        return ZERO_BASELINE
    effect = proportion_effect(control, treatment)
    return effect if isinstance(effect, Status) else effect.lift(alpha, alternative)


def wilson_interval(arm: Moments, alpha: float = 0.05) -> Interval:
    """Wilson's score interval of one proportion, within [0, 1]; the arm needs a unit.

    Source: Wilson (1927).
    """
    z2 = float(critical_value(alpha, math.inf)) ** 2
    n, rate = arm.n, arm.mean
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At no successes (or no failures) the end is exactly 0 (or 1); the difference of the terms is not.
    lower = 0.0 if arm.sum == 0 else centre - half
    upper = 1.0 if arm.sum == arm.n else centre + half
    return Interval.at(lower, upper, alpha)


def newcombe_interval(control: Moments, treatment: Moments, alpha: float = 0.05) -> Interval | Status:
    """Newcombe's hybrid score interval of treatment minus control (his method 10), within [-1, 1].

    Source: Newcombe (1998), Statistics in Medicine 17, 873-890.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    c, t = wilson_interval(control, alpha), wilson_interval(treatment, alpha)
    p_c, p_t = control.mean, treatment.mean
    diff = treatment.minus(control)
    lower = diff - math.hypot(p_t - t.lower, c.upper - p_c)
    upper = diff + math.hypot(t.upper - p_t, p_c - c.lower)
    return Interval.at(lower, upper, alpha)


def agresti_caffo_interval(control: Moments, treatment: Moments, alpha: float = 0.05) -> Interval | Status:
    """Agresti and Caffo's interval of treatment minus control: Wald's after a success and a failure more per arm.

    Clipped to [-1, 1]. Source: Agresti and Caffo (2000), The American Statistician 54, 280-288.
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    c = Moments(control.n + 2, control.sum + 1, control.sum + 1)
    t = Moments(treatment.n + 2, treatment.sum + 1, treatment.sum + 1)
    half = float(critical_value(alpha, math.inf)) * math.sqrt(
        rate_variance(c.n, c.sum) + rate_variance(t.n, t.sum)
    )
    diff = t.mean - c.mean
    return Interval.at(max(diff - half, -1.0), min(diff + half, 1.0), alpha)


def fisher_exact_p(control: Moments, treatment: Moments) -> float | Status:
    """Fisher's exact two-sided p-value of the 2 x 2 table: every table with the margins no likelier than this one.

    In (0, 1]; conservative. NO_USERS for an empty arm. Source: Fisher (1935).
    """
    problem = not_countable(control, treatment)
    if problem:
        return problem
    table = [[int(arm.sum), int(arm.n - arm.sum)] for arm in (treatment, control)]
    return float(scipy.stats.fisher_exact(table).pvalue)


def not_countable(control: Moments, treatment: Moments) -> Status | None:
    """The status for arms without units; ValueError for arms whose values are not zeros and ones."""
    for name, arm in (("control", control), ("treatment", treatment)):
        if arm.sum != arm.sum_of_squares or not float(arm.sum).is_integer() or not 0 <= arm.sum <= arm.n:
            raise ValueError(f"{name}: a proportion needs values of 0 or 1 (sum = sum_of_squares, a count)")
        problem = first([no_users(name, arm.n)])
        if problem:
            return problem
    return None


def no_users(arm: str, n: float | FloatArray) -> Obstacle:
    """An arm, or each of an array of arms, without a unit."""
    return Obstacle(n == 0, StatusCode.NO_USERS, f"The {arm} arm has no units.")


def rate_variance(n: Number, successes: Number) -> Number:
    """Variance of a rate, p (1 - p) / n, of one arm or of arrays; n: units, 1 or more."""
    failures = n - successes
    return successes / n * (failures / n) / n


_ALL_ALIKE = "Each arm has only successes or only failures: no variance to test with."
