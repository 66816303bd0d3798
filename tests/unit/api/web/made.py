"""Experiments and results for the pages, plain and ugly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from api.experiments.answers import DecisionOut, ExperimentOut, VariantOut, VersionOut
from api.experiments.examples import SHOWN
from api.metric_catalogue.schemas import METRIC_SHOWN, MetricOut
from api.results.glances import Glance, Missing
from api.results.schemas import ReportOut
from neonblue.analysis.answer import Answer, CheckItem, DecisionItem, PlanItem, ResultItem
from neonblue.analysis.stamp import Stamp
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import ENDED, STARTED, Status
from neonblue.results.look import Look
from neonblue.statistics import AllocationVersion, Experiment

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
UGLY = "<script>alert(1)</script> \u202eright to left שלום & “quotes” ' \" " + "very-long-name-" * 12


def variant(key: str, **fields: Any) -> VariantOut:
    given = {"name": None, "weight": 1, "is_control": key == "control", "active": True, "payload": None}
    return VariantOut(key=key, **{**given, **fields})


def metric(key: str, role: str = "primary", **fields: Any) -> MetricOut:
    return MetricOut.model_validate({**METRIC_SHOWN, "key": key, "role": role, **fields})


def experiment(status: Status = Status.RUNNING, **fields: Any) -> ExperimentOut:
    """Of two arms and one primary metric, ten days old."""
    started = NOW - timedelta(days=10) if status in STARTED | ENDED else None
    given: dict[str, Any] = {
        "key": "checkout",
        "name": "A shorter checkout",
        "status": status,
        "variants": [variant("control"), variant("short-form")],
        "metrics": [metric("conversion", type="proportion", aggregation="any", window_seconds=604_800)],
        "planned_days": 21,
        "planned_units": None,
        "inference": "confidence_sequence" if started else None,
        "started_at": started,
        "concluded_at": NOW - timedelta(days=1) if status in ENDED else None,
        "scheduled_start_at": NOW + timedelta(days=1) if status is Status.SCHEDULED else None,
    }
    return ExperimentOut.model_validate({**SHOWN, **given, **fields})


def item(metric_key: str = "conversion", arm: str = "short-form", **fields: Any) -> ResultItem:
    given: dict[str, Any] = {
        "metric_key": metric_key,
        "metric_version": 1,
        "metric_type": "proportion",
        "role": "primary",
        "control_variant": "control",
        "variant_key": arm,
        "n_control": 41_862,
        "n_variant": 41_707,
        "mean_control": 0.0984,
        "mean_variant": 0.1036,
        "difference": 0.0052,
        "ci_low": -0.0007,
        "ci_high": 0.0112,
        "level": 0.95,
        "relative_lift": 0.0528,
        "relative_ci_low": -0.0073,
        "relative_ci_high": 0.114,
        "p_value": 0.11,
        "log10_p": -0.96,
        "adjusted_p": 0.11,
        "verdict": "undecided",
        "guardrail": "",
        "method": "unpooled_proportions",
        "status": "ok",
        "status_reason": "",
        "sample_ratio_p": 1.0,
        "sample_ratio_status": "healthy",
    }
    return ResultItem(**{**given, **fields})


def guardrail(state: str, metric_key: str = "errors", **fields: Any) -> ResultItem:
    verdict = "worse" if state == "breached" else "undecided"
    given = {
        "role": "guardrail",
        "guardrail": state,
        "verdict": verdict,
        "direction": "decrease",
        "margin": 0.1,
    }
    return item(metric_key, **{**given, **fields})


def check(name: str = "sample_ratio (version 2)", **fields: Any) -> CheckItem:
    given = {"passed": True, "blocking": True, "value": 1.0, "threshold": 0.001, "message": "The split fits."}
    return CheckItem(name, **{**given, **fields})


SENTENCES = {
    "ship": "Ship short-form: conversion +5.28 % (95 % interval +0.73 % to +11.4 %, p = 0.0110).",
    "roll_back": "Roll back short-form: conversion −5.28 % (95 % interval −11.4 % to −0.73 %, p = 0.0110).",
    "keep_running": "Keep running: conversion +5.28 % (95 % interval −0.73 % to +11.4 %, p = 0.1100), not decided.",
    "inconclusive": "No decision: conversion +5.28 % (95 % interval −0.73 % to +11.4 %), not decided.",
    "invalid": "Do not use these results. short-form has 8,440 units where 9,262 are expected.",
}


def answer(action: str | None = "keep_running", status: State = State.OK, **fields: Any) -> Answer:
    """With one item; of a status without numbers, with none and its reason."""
    numbers = status in (State.OK, State.TOO_EARLY)
    decided = action if numbers else None
    broken = ("sample_ratio (version 2)",) if decided == "invalid" else ()
    checks = (check(passed=not broken),) if numbers else ()
    given: dict[str, Any] = {
        "control": "control" if numbers else None,
        "arms": ("control", "short-form") if numbers else (),
        "units": 83_569 if numbers else 0,
        "assigned": 83_600 if numbers else 0,
        "items": (item(),) if numbers else (),
        "health": checks,
        "plan": PlanItem("confidence_sequence", 0.05, None, False, day=11, planned_days=21, days_left=11.0)
        if numbers
        else None,
        "decision": None
        if decided is None
        else DecisionItem(decided, SENTENCES[decided], "short-form", broken, 5.2),
    }
    reason = "" if status is State.OK else f"The reason of {status}."
    return Answer("checkout", 7, status.value, reason, NOW, NOW, 4, "0.1.0", **{**given, **fields})


def look(found: Answer, versions: int = 1) -> Look:
    """With the units of each arm where there are numbers."""
    stamp = Stamp(found.computed_at, found.watermark, found.configuration_version, found.code_version)
    if not found.items:
        return Look(stamp, found)
    live = tuple(
        AllocationVersion(
            f"version {number + 1}", {"control": 1.0, "short-form": 1.0}, {"control": 900, "short-form": 880}
        )
        for number in range(versions)
    )
    data = Experiment("control", ("control", "short-form"), (), {}, live, multiply_exposed=3)
    return Look(stamp, found, question=cast("Any", SimpleNamespace(experiment=data)))


def glance(found: Answer | None = None, age: float = 1.0, missing: Missing = Missing.NOTHING) -> Glance:
    return Glance(None if found is None else look(found), age, missing)


def version(number: int, action: str = "change", **fields: Any) -> VersionOut:
    given: dict[str, Any] = {
        "created_at": NOW - timedelta(days=12 - number),
        "created_by": "token:3:mira",
        "reason": None,
        "difference": {"allocation": {"before": 2000, "after": 5000}},
    }
    return VersionOut(version=number, action=action, **{**given, **fields})


DECIDED = DecisionOut(
    outcome="ship",
    variant_key="short-form",
    reason="More people buy",
    decided_by="token:3:mira",
    decided_at=NOW - timedelta(days=1),
)


def report(name: str, media_type: str = "text/html; charset=utf-8") -> ReportOut:
    return ReportOut(
        id=name, kind="experiment", title="A report", media_type=media_type, bytes=1, sha256="0" * 64, created_at=NOW,
        computed_at=NOW, watermark=NOW, configuration_version=4, code_version="0.1.0", run_id="",
        url=f"/v1/reports/{name}",
    )  # fmt: skip
