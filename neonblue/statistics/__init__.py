"""The statistics engine: sufficient statistics in, estimates, health and decisions out. Pure functions."""

from neonblue.statistics.comparison import Comparison
from neonblue.statistics.cuped import CupedComparison, Theta, compare_cuped
from neonblue.statistics.health import (
    HealthCheck,
    SampleRatio,
    covariate_balance,
    multiply_exposed,
    sample_ratio,
    sample_ratio_over_versions,
)
from neonblue.statistics.means import compare_means
from neonblue.statistics.metric import MetricKind, analyze_metric, compare_proportions
from neonblue.statistics.moments import CentredProducts, CovariateMoments, Moments, RatioMoments
from neonblue.statistics.ratio import compare_ratios
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

__all__ = [
    "Alternative",
    "CentredProducts",
    "Comparison",
    "CovariateMoments",
    "CupedComparison",
    "Estimate",
    "HealthCheck",
    "Interval",
    "Lift",
    "Method",
    "MetricKind",
    "Moments",
    "RatioMoments",
    "SampleRatio",
    "Status",
    "StatusCode",
    "Theta",
    "analyze_metric",
    "compare_cuped",
    "compare_means",
    "compare_proportions",
    "compare_ratios",
    "covariate_balance",
    "multiply_exposed",
    "sample_ratio",
    "sample_ratio_over_versions",
]
