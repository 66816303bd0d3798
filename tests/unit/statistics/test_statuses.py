"""What can't be computed is a status with its reason, from every function that could be asked."""

import math

import pytest

from neonblue.statistics import (
    CovariateMoments,
    Interval,
    LiftPrior,
    Margin,
    MetricKind,
    Moments,
    QuantileSummary,
    RatioMoments,
    Scale,
    Status,
    StatusCode,
    analyze_metric,
    best_mean,
    best_rate,
    beta_posterior,
    compare_cuped,
    compare_quantiles,
    compare_ratios,
    gaussian_posterior,
)
from neonblue.statistics.bayes.relative import log_ratio_interval
from neonblue.statistics.methods.by_kind import guard_metric, metric_effect
from neonblue.statistics.methods.cuped import adjust, ancova_standard_error, cuped_effect
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.noninferiority import non_inferior, non_inferior_proportion_score
from neonblue.statistics.methods.proportions import (
    agresti_caffo_interval,
    fisher_exact_p,
    newcombe_interval,
    pooled_test,
    unpooled_test,
)
from neonblue.statistics.methods.quantiles import quantile_interval
from neonblue.statistics.methods.score import score_interval, score_lift, score_test
from neonblue.statistics.result import Method
from neonblue.statistics.sequential.confidence_sequence import confidence_sequence
from neonblue.statistics.sequential.mixture_sprt import mixture_sprt
from neonblue.statistics.sequential.sample_ratio import sequential_sample_ratio

EMPTY, ONE, SAME = Moments(0, 0, 0), Moments(1, 2, 4), Moments(9, 18, 36)
MANY = Moments(50, 100, 400)
NONE, SOME = Moments.proportion(0, 30), Moments.proportion(9, 30)
NO_UNITS = Moments.proportion(0, 0)
LONE_PAIR = CovariateMoments(1, 2, 3, 4, 9, 6)
LONE_RATIO, RATIO = RatioMoments(1, 2, 3, 4, 9, 6), RatioMoments(9, 5, 9, 7, 12, 6)
MEDIAN, TIES = QuantileSummary(99, 99, 0.5, 3, 2, 4), QuantileSummary(99, 99, 0.5, 3, 3, 3)
FAR_TAIL = QuantileSummary(99, 99, 0.99, 3, 2, 4)
MARGIN = Margin(0.1)
NOBODY = StatusCode.NO_USERS
FEW = StatusCode.NOT_ENOUGH_UNITS
CONSTANT = StatusCode.ZERO_VARIANCE


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (unpooled_test(NO_UNITS, SOME), NOBODY),
        (pooled_test(SOME, NO_UNITS), NOBODY),
        (score_test(NO_UNITS, SOME), NOBODY),
        (score_interval(NO_UNITS, SOME), NOBODY),
        (score_lift(NO_UNITS, SOME), NOBODY),
        (score_lift(Moments.proportion(5, 5), Moments.proportion(3, 3)), CONSTANT),
        (newcombe_interval(NO_UNITS, SOME), NOBODY),
        (agresti_caffo_interval(NO_UNITS, SOME), NOBODY),
        (fisher_exact_p(NO_UNITS, SOME), NOBODY),
        (non_inferior_proportion_score(NO_UNITS, SOME, MARGIN), NOBODY),
        (non_inferior_proportion_score(NONE, NONE, Margin(0.5, relative=True)), CONSTANT),
        (log_ratio_interval(1.0, 0.1, -1.0, 0.1), StatusCode.RATIO_UNBOUNDED),
        (log_ratio_interval(1e-9, 1.0, 1.0, 1.0), StatusCode.RATIO_UNBOUNDED),
        (log_ratio_interval(1.0, 0.0, 2.0, 0.0), CONSTANT),
        (compare_ratios(RATIO, LONE_RATIO).absolute, FEW),
        (adjust(LONE_PAIR, LONE_PAIR), FEW),
        (cuped_effect(LONE_PAIR, LONE_PAIR), FEW),
        (ancova_standard_error(LONE_PAIR, LONE_PAIR), FEW),
        (compare_cuped(LONE_PAIR, LONE_PAIR).fallback, FEW),
        (metric_effect(MetricKind.QUANTILE, TIES, TIES), StatusCode.TIED_QUANTILE),
        (compare_quantiles(TIES, MEDIAN).absolute, StatusCode.TIED_QUANTILE),
        (compare_quantiles(FAR_TAIL, FAR_TAIL).absolute, FEW),
        (quantile_interval([1.0, 2.0], 0.5), FEW),
        (quantile_interval([], 0.5), FEW),
        (best_rate([]), StatusCode.MISSING_ARM),
        (best_rate([SOME], (0, 1)), StatusCode.IMPROPER_PRIOR),
        (best_mean([]), StatusCode.MISSING_ARM),
        (best_mean([ONE, MANY]), FEW),
        (best_mean([SAME, MANY]), CONSTANT),
        (beta_posterior(SOME, SOME, (0, 1)), StatusCode.IMPROPER_PRIOR),
        (gaussian_posterior(mean_effect(ONE, ONE)), FEW),
        (gaussian_posterior(mean_effect(MANY, MANY), LiftPrior(0, 0)), StatusCode.IMPROPER_PRIOR),
        (gaussian_posterior(mean_effect(Moments(9, 0, 8), MANY)), StatusCode.ZERO_BASELINE),
        (
            gaussian_posterior(mean_effect(Moments(9, 0, 8), MANY), scale=Scale.ABSOLUTE),
            StatusCode.ZERO_BASELINE,
        ),
        (confidence_sequence(0.1, 0.1, 0), FEW),
        (confidence_sequence(0.1, 0.0, 10), CONSTANT),
        (mixture_sprt(0.1, 0.0, 1.0), CONSTANT),
        (sequential_sample_ratio([0, 0], [[1, 1]]), StatusCode.MISSING_ARM),
    ],
)
def test_the_reason_is_named(answer, code):
    assert isinstance(answer, Status)
    assert answer.code is code
    assert answer.message


def test_a_contrast_without_variance_has_no_test():
    silent = Effect(Method.WELCH, 5, 50, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    assert non_inferior(silent, MARGIN).code is CONSTANT


def test_moments_that_do_not_fit_the_kind_are_refused():
    misfits = [
        (MetricKind.RATIO, LONE_PAIR),
        (MetricKind.MEAN, RATIO),
        (MetricKind.MEAN, MEDIAN),
        (MetricKind.QUANTILE, MANY),
    ]
    for kind, arm in misfits:
        for compute in (analyze_metric, metric_effect):
            with pytest.raises(ValueError, match=r"^kind:"):
                compute(kind, arm, arm)
            with pytest.raises(ValueError, match=r"^kind:"):
                compute(kind, arm, NO_UNITS)


def test_a_level_may_not_be_reached_by_a_tiny_alpha():
    assert Interval.at(0, 1, 1e-200).level < 1


def test_a_guardrail_of_few_outcomes_takes_the_score_test():
    few, many = (
        guard_metric(MetricKind.PROPORTION, Moments.proportion(x, n), Moments.proportion(x, n), MARGIN)
        for x, n in ((3, 40), (300, 4000))
    )

    assert math.isinf(few.df)
    assert few.se > 0
    assert few.se != pytest.approx(math.sqrt(2 * (3 / 40) * (37 / 40) / 40), rel=1e-3)
    assert many.non_inferior
