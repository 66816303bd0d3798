"""Which guardrails of an experiment are breached. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from neonblue.contract.guardrails import as_guardrail, error_parts, watched_guardrails
from neonblue.contract.messages import ExperimentMessage, WatchedMessage

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow
    from neonblue.statistics import Experiment, MetricResult


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
    decision included; metrics of the catalogue have parts of one guardrail's, and count the units that entered once
    they were watched. Of an arm that was dropped nothing is left to pause.
    """
    from neonblue.analysis import ExperimentRows, experiment_of
    from neonblue.statistics import Inference, Plan, analyze_metrics

    versions = {**(configurations or {}), experiment.version: experiment}
    seen = experiment_of(versions, ExperimentRows(moments=list(rows)), lambda _: True)
    own = {metric.key for metric in experiment.metrics}
    watched = watched_guardrails(experiment)
    results = list(
        analyze_metrics(
            seen,
            Plan(inference=Inference.CONFIDENCE_SEQUENCE),
            only={metric.key for metric in watched if metric.key in own},
        )
    )
    parts = error_parts(experiment.watched)
    for metric in experiment.watched if watched and seen.treatments else ():
        if metric.active:
            results += _of_catalogue(versions, metric, parts[metric.key], rows, seen)
    on_breach = {metric.key: metric.on_breach for metric in watched}
    return [
        _breach(experiment.key, result, on_breach[result.metric.name])
        for result in results
        if result.arm not in seen.dropped and result.speaks_against
    ]


def _of_catalogue(
    versions: Mapping[int, ExperimentMessage],
    metric: WatchedMessage,
    parts: int,
    rows: Sequence[MomentRow],
    beside: Experiment,
) -> Sequence[MetricResult]:
    """The metric's results, judged at one of so many parts of what one more guardrail beside the others would have."""
    from neonblue.analysis import ExperimentRows, experiment_of
    from neonblue.statistics import Inference, Plan, analyze_metrics

    newest = msgspec.structs.replace(versions[max(versions)], metrics=[as_guardrail(metric)], watched=[])
    counted = [row for row in rows if row.metric_key == metric.key and row.version >= metric.since]
    alone = experiment_of(
        {**versions, newest.version: newest}, ExperimentRows(moments=counted), lambda _: True
    )
    treatments = len(beside.treatments)
    guardrails = beside.alarms // treatments - beside.reserved + 1
    reserved = guardrails * parts - alone.alarms // treatments
    return analyze_metrics(replace(alone, reserved=reserved), Plan(inference=Inference.CONFIDENCE_SEQUENCE))


def _breach(key: str, result: MetricResult, on_breach: str | None) -> Breach:
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
        on_breach=on_breach,
    )
