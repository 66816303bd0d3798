"""The whole analysis of an experiment in one call."""

from __future__ import annotations

from dataclasses import dataclass

from neonblue.statistics.analysis import MetricResult, analyze_metrics, check_health
from neonblue.statistics.deciding import DecidingRule, rule_for
from neonblue.statistics.decision import Decision, decide
from neonblue.statistics.experiment import Experiment, Plan
from neonblue.statistics.health import HealthCheck


@dataclass(frozen=True, slots=True)
class Report:
    """Health first, then every metric in every arm, then the decision they lead to."""

    health: tuple[HealthCheck, ...]
    results: tuple[MetricResult, ...]
    decision: Decision


def analyze(experiment: Experiment, plan: Plan | None = None, rule: DecidingRule | None = None) -> Report:
    """Analyse an experiment under the plan fixed at its launch.

    plan: by default a fixed horizon at 5 % whose planned end is now. rule: the deciding test, by default
    the one the plan names. What can't be computed is a status in its row; the decision says what to do.
    """
    plan = plan or Plan(ended=True)
    rule = rule or rule_for(plan, experiment.units)
    health = check_health(experiment, plan)
    results = analyze_metrics(experiment, plan, rule)
    return Report(health, results, decide(experiment, plan, health, results))
