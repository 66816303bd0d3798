"""Which guardrails of an experiment are breached. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow
    from neonblue.statistics import MetricResult


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that one arm has broken, with the evidence in words. on_breach: what the guardrail says is done."""

    experiment_key: str
    metric_key: str
    variant_key: str
    n_control: int
    n_variant: int
    mean_control: float
    mean_variant: float
    reason: str
    on_breach: str | None = None


def breaches(
    experiment: ExperimentMessage,
    rows: Sequence[MomentRow],
    configurations: Mapping[int, ExperimentMessage] | None = None,
) -> list[Breach]:
    """Guardrails shown to be harmed, by confidence sequences: they may be looked at as often as one likes.

    rows: sums over the units that have finished their window, by the version they entered under; configurations: the
    experiment's snapshots by version, by default the one. With a margin the harm must exceed it; without one the metric
    must be significantly worse. The error is shared with every other alarm of the experiment's guardrails, those of its
    decision included. Of an arm that was dropped nothing is left to pause.
    """
    from neonblue.analysis import ExperimentRows, experiment_of
    from neonblue.statistics import Inference, Plan, analyze_metrics

    watched = {metric.key for metric in watched_guardrails(experiment)}
    versions = {**(configurations or {}), experiment.version: experiment}
    seen = experiment_of(versions, ExperimentRows(moments=list(rows)), lambda _: True)
    return [
        _breach(experiment.key, result)
        for result in analyze_metrics(seen, Plan(inference=Inference.CONFIDENCE_SEQUENCE), only=watched)
        if result.arm not in seen.dropped and result.speaks_against
    ]


def _breach(key: str, result: MetricResult) -> Breach:
    comparison = result.comparison
    control, variant = comparison.mean_control or 0.0, comparison.mean_treatment or 0.0
    limit = f"its margin {result.metric.margin:g}" if result.metric.margin is not None else "none allowed"
    return Breach(
        experiment_key=key,
        metric_key=result.metric.name,
        variant_key=result.arm,
        n_control=comparison.n_control,
        n_variant=comparison.n_treatment,
        mean_control=control,
        mean_variant=variant,
        reason=(
            f"Guardrail {result.metric.name} is breached in {result.arm}: {variant:.6g} against {control:.6g} in "
            f"control ({limit}), by a confidence sequence over {comparison.n_control + comparison.n_treatment} units."
        ),
    )
