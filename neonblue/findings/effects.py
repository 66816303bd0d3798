"""Effects out of the statistics engine's results, and out of the API's answer. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from neonblue.contract.metric_types import RATES
from neonblue.findings.effect import Effect, Scale
from neonblue.statistics import Estimate, Lift, MetricKind, MetricResult, Role, Status, Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.experiment.wording import lower_is_better, remarks
from neonblue.statistics.methods.by_kind import KINDS


def effects_of(results: Sequence[MetricResult]) -> tuple[Effect, ...]:
    """One effect for each metric and arm, in their order."""
    return tuple(_effect(result) for result in results)


def scale_of(kind: MetricKind) -> Scale:
    """Proportions are written as percentages."""
    return Scale.SHARE if KINDS[kind].is_share else Scale.NUMBER


def effect_of_item(item: Mapping[str, Any]) -> Effect:
    """One item of the API's results, as JSON gives it."""
    tested = item["status"] == "ok"
    lifted = tested and item["relative_lift"] is not None
    guardrail = item["guardrail"]
    return Effect(
        metric=item["metric_key"],
        arm=item["variant_key"],
        role=Role(item["role"]),
        scale=Scale.SHARE if item["metric_type"] in RATES else Scale.NUMBER,
        verdict=Verdict(item["verdict"]),
        n_control=item["n_control"],
        n_treatment=item["n_variant"],
        control=item["mean_control"],
        treatment=item["mean_variant"],
        difference=item["difference"],
        lower=item["ci_low"] if tested else None,
        upper=item["ci_high"] if tested else None,
        level=item["level"] or 0.95,
        lift=item["relative_lift"] if lifted else None,
        lift_lower=item["relative_ci_low"] if lifted else None,
        lift_upper=item["relative_ci_high"] if lifted else None,
        p_value=item["p_value"],
        adjusted_p=item["adjusted_p"],
        note=" ".join(filter(None, (item["status_reason"], *_left_out(item)))),
        lower_is_better=item.get("direction") == "decrease",
        margin=item.get("margin"),
        margin_relative=item.get("margin_relative", True),
        guardrail=GuardrailState(guardrail) if guardrail in set(GuardrailState) else None,
    )


def _left_out(item: Mapping[str, Any]) -> list[str]:
    """Who is not in the item's numbers."""
    judged = item["n_control"] + item["n_variant"]
    unfinished = item["unfinished_control"] + item["unfinished_variant"]
    missing = item["missing_control"] + item["missing_variant"]
    found = []
    if unfinished:
        found.append(
            f"{judged + missing:,} of {judged + missing + unfinished:,} units have finished their window."
        )
    if missing:
        found.append(f"{missing:,} units without a value are left out.")
    return found


def _effect(result: MetricResult) -> Effect:
    comparison = result.comparison
    shown = result.waits is None
    test = comparison.absolute if shown and isinstance(comparison.absolute, Estimate) else None
    lift = comparison.relative if shown and isinstance(comparison.relative, Lift) else None
    return Effect(
        metric=result.metric.name,
        arm=result.arm,
        role=result.metric.role,
        scale=scale_of(result.metric.kind),
        verdict=result.verdict,
        n_control=comparison.n_control,
        n_treatment=comparison.n_treatment,
        control=comparison.mean_control,
        treatment=comparison.mean_treatment,
        difference=test.diff if test else comparison.diff if shown else None,
        lower=_bound(test.interval.lower) if test else None,
        upper=_bound(test.interval.upper) if test else None,
        level=test.interval.level if test else 0.95,
        lift=lift.value if lift else None,
        lift_lower=_bound(lift.interval.lower) if lift else None,
        lift_upper=_bound(lift.interval.upper) if lift else None,
        p_value=result.p_value,
        adjusted_p=result.adjusted_p,
        note=" ".join(_notes(result)),
        lower_is_better=lower_is_better(result.metric),
        margin=result.metric.margin,
        margin_relative=result.metric.margin_relative,
        guardrail=result.guardrail_state,
    )


def _notes(result: MetricResult) -> list[str]:
    notes = []
    comparison = result.comparison
    if isinstance(comparison.absolute, Status):
        notes.append(comparison.absolute.message)
    elif isinstance(comparison.relative, Status):
        notes.append(comparison.relative.message)
    if isinstance(result.guardrail, Status):
        notes.append(result.guardrail.message)
    if result.waits is not None and result.waits != comparison.absolute:
        notes.append(result.waits.message)
    return [*notes, *remarks(result)]


def _bound(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
