"""Items of the checklist of an experiment that has started: whether its numbers can be trusted. Pure.

The checks are those of its health; here they are put together by what they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from api.checklist.before import not_known
from api.checklist.recomputed import Kind, Recomputed
from api.experiments.readiness import ChecklistItem, Grade
from neonblue.analysis.answer import CheckItem
from neonblue.analysis.stages import Stage, StageRatio, StageUnits, in_words, stage_ratios
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.parts import StageItem
from neonblue.results.traffic import Repeated
from neonblue.statistics.experiment.health import Finding, finding_of

_GRADES = {
    Finding.FINE: Grade.OK,
    Finding.UNTOLD: Grade.OK,
    Finding.WARNED: Grade.WARNING,
    Finding.FAILED: Grade.BLOCKING,
}
_ORDER = list(Grade)
_MOST_REPEATED = 0.01
_SUBJECTS = {
    "sample_ratio": (
        "the arms have the units that they should have",
        "Look at what differs between the arms from the stage on where the ratio breaks: redirects, crashes, filters",
    ),
    "exposures": (
        "units that are assigned meet their variant",
        "Send an exposure where the variant is used: docs/openfeature.md",
    ),
    "several_arms": (
        "units meet one arm alone",
        "Look whether the application asks with the same id each time, and links ids of one person",
    ),
    "clocks": (
        "the times of events can be trusted",
        "Send Sent-At with events, and the client's own time with exposure and event alike",
    ),
}
_BY_NAME = {
    "multiply_exposed": "several_arms",
    "exposure": "exposures",
    "clocks of clients": "clocks",
    "events just before the exposure": "clocks",
}
FURTHER = "further_checks"


def code_of(check: str) -> str:
    """The item that a check of an experiment's health belongs to, by its name."""
    return "sample_ratio" if check.startswith("sample_ratio") else _BY_NAME.get(check, FURTHER)


def health_items(
    checks: Sequence[CheckItem] | None, ratios: Sequence[StageRatio], why: str = ""
) -> Iterator[ChecklistItem]:
    """An item for each subject. checks: None where there are none to tell by; why: in words, where that is known."""
    if checks is None:
        for code, (subject, _) in _SUBJECTS.items():
            yield not_known(code, subject, why, None) if why else not_known(code, subject)
        return
    for code, (subject, next_step) in _SUBJECTS.items():
        stages = ratios if code == "sample_ratio" else ()
        yield _item(
            code, subject, next_step, [check for check in checks if code_of(check.name) == code], stages
        )
    rest = [check for check in checks if code_of(check.name) == FURTHER]
    if rest:
        yield _item(FURTHER, "further checks hold", "Read what each says: …/health", rest, ())


def ratios_of(
    configurations: Mapping[int, ExperimentMessage], items: Iterable[StageItem]
) -> list[StageRatio]:
    """The arms' ratio at each stage that the models count; none without a configuration."""
    if not configurations:
        return []
    newest = configurations[max(configurations)]
    stages = {
        Stage.ASSIGNED: "assigned_units",
        Stage.INGESTED: "exposed_units",
        Stage.ANALYSED: "analysed_units",
    }
    if newest.population != "exposed":
        del stages[Stage.INGESTED]
    units = [
        StageUnits(stage, item.version, item.variant_key, getattr(item, name))
        for item in items
        for stage, name in stages.items()
    ]
    return stage_ratios(configurations, units)


def stored_item(found: Recomputed, *, released: bool = False) -> ChecklistItem:
    """Whether stored variants are those that the hash gives. released: whether a release goes by it by now."""
    evidence: dict[str, Any] = {
        "units": found.units,
        "all": found.whole,
        "differing": {str(kind): found.differing[kind] for kind in Kind if kind in found.differing},
    }
    looked = f"{'All' if found.whole else 'The first'} {found.units:,} stored variants"
    if not found.units:
        return ChecklistItem.ok("stored_variants", "No variant is stored yet", evidence)
    if found.unexplained:
        return ChecklistItem.warning(
            "stored_variants",
            f"{found.unexplained:,} of {found.units:,} stored variants are not what the hash gives",
            evidence,
            cause="No import, link, tester or former version explains them",
            next_step="Look who writes assignments beside this API, and with which version of a client",
        )
    differ = sum(found.differing.values())
    told = f"; {differ:,} differ, which imports, links, testers or former versions explain" if differ else ""
    if differ and released:
        told += "; a release goes by the hash, so to these it may give another variant than they had"
    return ChecklistItem.ok(
        "stored_variants", f"{looked} were worked out anew{told or ', and are what the hash gives'}", evidence
    )


def repeats_item(found: Repeated | None) -> ChecklistItem:
    """Whether events are sent twice under ids of their own, which no store can tell."""
    if found is None:
        return not_known("repeats", "events are sent twice")
    evidence = asdict(found)
    if not found.repeated:
        return ChecklistItem.ok(
            "repeats", f"None of {found.events:,} events of a day repeats another one", evidence
        )
    share = found.repeated / found.events
    headline = (
        f"{found.repeated:,} of {found.events:,} events of a day ({share:.1%}) say what another one says: same unit, "
        "type, time, value and properties"
    )
    if share <= _MOST_REPEATED:
        return ChecklistItem.ok("repeats", headline, evidence)
    return ChecklistItem.warning(
        "repeats",
        headline,
        evidence,
        cause="They have ids of their own, so each of them counts",
        next_step="Keep an event's id when it is sent again",
    )


def _item(
    code: str, subject: str, next_step: str, checks: Sequence[CheckItem], ratios: Sequence[StageRatio]
) -> ChecklistItem:
    graded = [(_grade(check), check) for check in checks]
    worst = max((grade for grade, _ in graded), key=_ORDER.index, default=Grade.OK)
    broken = next((ratio for ratio in ratios if ratio.broken), None)
    evidence: dict[str, Any] = {
        "checks": [
            {name: value for name, value in asdict(check).items() if name != "message"} for check in checks
        ]
    }
    if ratios:
        evidence["stages"] = [_stage(ratio) for ratio in ratios]
    if broken is not None and worst is Grade.OK:
        worst = Grade.WARNING
    if worst is Grade.OK:
        told = next((check.message for check in checks if check.told), None)
        untold = next((check.message for check in checks), f"Nothing speaks against it that {subject}")
        return ChecklistItem(code=code, status=worst, headline=told or untold, evidence=evidence)
    failing = [check.message for grade, check in graded if grade is not Grade.OK]
    said = [*failing, *([] if broken is None else [in_words(broken)])]
    return ChecklistItem(
        code=code,
        status=worst,
        headline=said[0],
        cause=" ".join(said[1:]) or None,
        next_step=next_step,
        evidence=evidence,
    )


def _grade(check: CheckItem) -> Grade:
    return _GRADES[finding_of(passed=check.passed, blocking=check.blocking, told=check.told)]


def _stage(ratio: StageRatio) -> dict[str, Any]:
    return {
        "stage": str(ratio.stage),
        "units": dict(ratio.units),
        "p_value": getattr(ratio.test, "p_value", None),
        "lost": dict(ratio.lost),
    }
