"""Beta-Binomial comparison of two rates: exact posteriors, every integral by quadrature.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from neonblue.statistics.moments import Moments
from neonblue.statistics.numerics.quadrature import Beta, FloatArray, panel_rule, rate_rule
from neonblue.statistics.result import Interval
from neonblue.statistics.status import Status, StatusCode

_EDGE = 1e-300
_WEAKEST = 0.03
"""Below it more than 1e-9 of a posterior lies under the smallest number that its integrals reach."""


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """Independent Beta posteriors of two rates and what follows from them.

    prob_treatment, prob_control: P(that arm's rate is the larger), each integrated by itself, so that a
    small one keeps its digits. loss_treatment, loss_control: expected loss of choosing that arm, E[max(other
    - chosen, 0)], >= 0, in rates. diff: mean of treatment - control. interval_*: central credible
    intervals; lift_median, interval_lift: of treatment / control - 1.
    """

    control: Beta
    treatment: Beta
    prob_treatment: float
    prob_control: float
    loss_treatment: float
    loss_control: float
    diff: float
    interval_control: Interval
    interval_treatment: Interval
    interval_diff: Interval
    interval_lift: Interval
    lift_median: float


def beta_posterior(
    control: Moments, treatment: Moments, prior: tuple[float, float] = (1.0, 1.0), level: float = 0.95
) -> BetaPosterior | Status:
    """Compare two rates with a Beta(a, b) prior on each; probabilities are good to about 1e-9.

    control, treatment: moments of 0/1 values, n >= 0. Posterior Beta(a + successes, b + failures);
    P(T > C) = integral of f_T F_C, loss of T = integral of F_T (1 - F_C). Peeking is not free: the
    probability is calibrated only over effects drawn from the prior. Returns IMPROPER_PRIOR for a or b that is not
    above 0, and for posteriors with a or b below 0.03. Raises ValueError for values that are not 0/1 or a level outside
    (0, 1). Source: Gelman et al. (2013), section 2.4; Stucchio (2015) on the loss.
    """
    if not all(np.isfinite(p) and p > 0 for p in prior):
        return Status(
            StatusCode.IMPROPER_PRIOR, f"Beta{tuple(prior)} is no proper prior: both must be above 0."
        )
    if not 0 < level < 1:
        raise ValueError(f"level: must lie inside (0, 1), got {level}")
    c, t = (_posterior(arm, prior) for arm in (control, treatment))
    if min(c.a, c.b, t.a, t.b) < _WEAKEST:
        message = (
            f"Beta{tuple(prior)} is too weak for an arm without a success, or without a failure: its rate would lie "
            f"closer to 0 or 1 than numbers reach; take at least {_WEAKEST:g}."
        )
        return Status(StatusCode.IMPROPER_PRIOR, message)
    x, weight = rate_rule((c, t))
    rate = special.expit(x) * special.expit(-x) * weight  # d rate = rate (1 - rate) d log-odds
    tail = (1 - level) / 2
    lift = [_quantile(_ratio_below(c, t), _ratio_bracket(c, t, tail), q) for q in (tail, 0.5, 1 - tail)]
    diff = [_quantile(_diff_below(c, t), _diff_bracket(c, t, tail), q) for q in (tail, 1 - tail)]
    return BetaPosterior(
        control=c,
        treatment=t,
        prob_treatment=_expect(t, c.below(x), x, weight),
        prob_control=_expect(c, t.below(x), x, weight),
        loss_treatment=float((t.below(x) * c.above(x) * rate).sum()),
        loss_control=float((c.below(x) * t.above(x) * rate).sum()),
        diff=t.mean - c.mean,
        interval_control=_central(c, tail, level),
        interval_treatment=_central(t, tail, level),
        interval_diff=Interval(diff[0], diff[1], level),
        interval_lift=Interval(float(np.expm1(lift[0])), float(np.expm1(lift[2])), level),
        lift_median=float(np.expm1(lift[1])),
    )


def _posterior(arm: Moments, prior: tuple[float, float]) -> Beta:
    if not 0 <= arm.sum <= arm.n:
        raise ValueError(f"sum: successes must lie between 0 and n={arm.n}, got {arm.sum}")
    return Beta(prior[0] + arm.sum, prior[1] + (arm.n - arm.sum))


def _central(beta: Beta, tail: float, level: float) -> Interval:
    return Interval(float(beta.quantile(tail)), float(beta.quantile(1 - tail)), level)


def _expect(beta: Beta, values: FloatArray, x: FloatArray, weight: FloatArray) -> float:
    """Mean of `values` under the distribution; its own mass divides out the rounding of a large Beta."""
    mass = beta.density(x) * weight
    return float((mass * values).sum() / mass.sum())


def _diff_below(c: Beta, t: Beta) -> Callable[[float], float]:
    """P(treatment - control <= d) as a function of d."""
    rates = special.expit(t.edges())

    def probability(d: float) -> float:
        x, weight = panel_rule([c.edges(), _log_odds(np.append(rates, [0.0, 1.0]) - d)], 2.0)
        reached = np.clip(special.expit(x) + d, 0.0, 1.0)
        return _expect(c, special.betainc(t.a, t.b, reached), x, weight)

    return probability


def _ratio_below(c: Beta, t: Beta) -> Callable[[float], float]:
    """P(treatment <= exp(r) control) as a function of r."""
    rates = special.expit(t.edges())

    def probability(r: float) -> float:
        x, weight = panel_rule([c.edges(), _log_odds(np.append(rates, 1.0) * np.exp(-r))], 2.0)
        reached = np.clip(special.expit(x) * np.exp(r), 0.0, 1.0)
        return _expect(c, special.betainc(t.a, t.b, reached), x, weight)

    return probability


def _log_odds(rates: FloatArray) -> FloatArray:
    """Log-odds of those rates that lie inside (0, 1)."""
    inside = rates[(rates > _EDGE) & (rates < 1)]
    return np.asarray(special.logit(inside))


def _diff_bracket(c: Beta, t: Beta, tail: float) -> tuple[float, float]:
    """Ends that the quantiles at `tail` can't lie beyond, by Bonferroni."""
    low, high = tail / 4, 1 - tail / 4
    return float(t.quantile(low) - c.quantile(high)), float(t.quantile(high) - c.quantile(low))


def _ratio_bracket(c: Beta, t: Beta, tail: float) -> tuple[float, float]:
    low, high = (np.log(np.maximum([b.quantile(p) for b in (c, t)], _EDGE)) for p in (tail / 4, 1 - tail / 4))
    return float(low[1] - high[0]), float(high[1] - low[0])


def _quantile(below: Callable[[float], float], bracket: tuple[float, float], probability: float) -> float:
    return float(optimize.brentq(lambda at: below(at) - probability, *bracket, xtol=1e-13, rtol=1e-12))
