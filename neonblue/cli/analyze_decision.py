"""The decision on a file, where it was said what decides."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from neonblue.statistics import Action, Decision, Experiment, Report, Role

_OPEN = (Action.INCONCLUSIVE, Action.KEEP_RUNNING)


def decides(experiment: Experiment) -> bool:
    """Whether any metric was named as the aim."""
    return any(metric.role is Role.PRIMARY for metric in experiment.metrics)


def with_aim_asked(experiment: Experiment, report: Report) -> Report:
    """The report; where no metric was named to decide, its decision says what to pass.

    Which column is the aim can't be told from a file. What guardrails that were named and checks say stands.
    """
    if decides(experiment) or report.decision.action not in _OPEN:
        return report
    plain = [metric.name for metric in experiment.metrics if metric.role is Role.SECONDARY]
    such = f", such as --metric {quote(plain[0])}" if plain else ""
    sentence = f"No decision: no metric was named to decide. Say which is the aim{such}."
    return replace(report, decision=Decision(Action.INCONCLUSIVE, sentence))
