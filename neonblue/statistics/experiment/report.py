"""The whole analysis of an experiment in one call."""

from __future__ import annotations

from dataclasses import dataclass

from neonblue.statistics.experiment.analysis import Standings, analyze_metrics
from neonblue.statistics.experiment.checks import check_health
from neonblue.statistics.experiment.decision import Decision, decide
from neonblue.statistics.experiment.experiment import Experiment, Plan
from neonblue.statistics.experiment.health import HealthCheck
from neonblue.statistics.experiment.metric_result import MetricResult


@dataclass(frozen=True, slots=True)
class Report:
    """Health first, then every metric in every arm, then the decision they lead to."""

    health: tuple[HealthCheck, ...]
    results: tuple[MetricResult, ...]
    decision: Decision


def analyze(
    experiment: Experiment,
    plan: Plan | None = None,
    standings: Standings | None = None,
    *,
    looking: bool = True,
) -> Report:
    """Analyse an experiment under the plan fixed at its launch.

    plan: by default a fixed horizon at 5 % whose planned end is now. standings, looking: as `analyze_metrics`. What
    can't be computed is a status in its row; the decision says what to do.
    """
    plan = plan or Plan(ended=True)
    health = check_health(experiment, plan)
    results = analyze_metrics(experiment, plan, standings, looking=looking)
    return Report(health, results, decide(experiment, plan, health, results))
