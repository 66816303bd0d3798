"""The statistics engine: sufficient statistics in, estimates, health and decisions out. Pure functions."""

from neonblue.statistics.bayes.bandits import best_mean, best_rate, thompson_weights
from neonblue.statistics.bayes.beta import BetaPosterior, beta_posterior
from neonblue.statistics.bayes.choice import Choice, choose
from neonblue.statistics.bayes.gaussian import GaussianPosterior, LiftPrior, Scale, gaussian_posterior
from neonblue.statistics.experiment.analysis import analyze_metrics
from neonblue.statistics.experiment.decision import Action, Decision
from neonblue.statistics.experiment.experiment import (
    AllocationVersion,
    Experiment,
    Inference,
    Metric,
    Plan,
    Role,
)
from neonblue.statistics.experiment.health import (
    Finding,
    HealthCheck,
    SampleRatio,
    covariate_balance,
    finding_of,
    multiply_exposed,
    sample_ratio,
    sample_ratio_over_versions,
)
from neonblue.statistics.experiment.metric_result import MetricResult, Verdict
from neonblue.statistics.experiment.missing import Missing
from neonblue.statistics.experiment.report import Report, analyze
from neonblue.statistics.methods.by_kind import MetricKind, analyze_metric, compare_proportions
from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.cuped import CupedComparison, Theta, compare_cuped
from neonblue.statistics.methods.means import compare_means
from neonblue.statistics.methods.missing_covariate import PartialCovariateMoments
from neonblue.statistics.methods.multiplicity import Family, Procedure, judge
from neonblue.statistics.methods.noninferiority import Direction, Margin, NonInferiority
from neonblue.statistics.methods.quantiles import QuantileSummary, compare_quantiles
from neonblue.statistics.methods.ratio import compare_ratios
from neonblue.statistics.methods.stratified import compare_strata
from neonblue.statistics.moments import CentredProducts, CovariateMoments, Moments, RatioMoments
from neonblue.statistics.planning.means import Design, SampleSize
from neonblue.statistics.planning.proportions import NullVariance
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

__all__ = [
    "Action",
    "AllocationVersion",
    "Alternative",
    "BetaPosterior",
    "CentredProducts",
    "Choice",
    "Comparison",
    "CovariateMoments",
    "CupedComparison",
    "Decision",
    "Design",
    "Direction",
    "Estimate",
    "Experiment",
    "Family",
    "Finding",
    "GaussianPosterior",
    "HealthCheck",
    "Inference",
    "Interval",
    "Lift",
    "LiftPrior",
    "Margin",
    "Method",
    "Metric",
    "MetricKind",
    "MetricResult",
    "Missing",
    "Moments",
    "NonInferiority",
    "NullVariance",
    "PartialCovariateMoments",
    "Plan",
    "Procedure",
    "QuantileSummary",
    "RatioMoments",
    "Report",
    "Role",
    "SampleRatio",
    "SampleSize",
    "Scale",
    "Status",
    "StatusCode",
    "Theta",
    "Verdict",
    "analyze",
    "analyze_metric",
    "analyze_metrics",
    "best_mean",
    "best_rate",
    "beta_posterior",
    "choose",
    "compare_cuped",
    "compare_means",
    "compare_proportions",
    "compare_quantiles",
    "compare_ratios",
    "compare_strata",
    "covariate_balance",
    "finding_of",
    "gaussian_posterior",
    "judge",
    "multiply_exposed",
    "sample_ratio",
    "sample_ratio_over_versions",
    "thompson_weights",
]
