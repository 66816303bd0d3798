"""An experiment's page as the template has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

from api.experiments.answers import ExperimentOut, VersionOut
from api.results.glances import Glance, Missing
from api.results.pulses import Pulse
from api.results.schemas import ReportOut
from api.web.experiment.configuration import Configuration, Notice, configuration_of, notices_of
from api.web.experiment.decision import DecisionBlock, decision_of
from api.web.experiment.exposures import Exposures, exposures_of
from api.web.experiment.history import Entry, changes_since, entries_of
from api.web.experiment.metrics import Metrics, metrics_of
from api.web.experiment.steps import Asked, Conflict, Given, Offer, asked_of, label_of, offers_of
from api.web.experiment.traffic import (
    Act,
    Refused,
    Traffic,
    Wanted,
    acts_of,
    fields_of,
    label_of_act,
    traffic_section,
)
from api.web.experiments.rows import Badge, badge_of, traffic_of
from api.web.shared.frame import Frame, render
from api.web.shared.results import AsOf, Seen, about_of, seen_of
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import STARTED, Step
from neonblue.findings.effect import Effect, margin_of, shown
from neonblue.statistics import Role, numbers
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.texts import instant, plain

_COUNTED = (State.OK, State.TOO_EARLY, State.NO_DATA)
_LATE_SECONDS = 30.0
_HOLDS = {
    GuardrailState.HELD: ("✓", "ok", "holds"),
    GuardrailState.BREACHED: ("✗", "fail", "breached"),
    GuardrailState.OPEN: ("", "", "not shown yet"),
}


@dataclass(frozen=True, slots=True)
class GuardrailRow:
    """A guardrail in one arm against its margin."""

    metric: str
    arm: str
    mark: str
    kind: str
    state: str
    change: str
    margin: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file to take away. path: of this host; name: of the file; at: when it was made, None: as of now."""

    path: str
    text: str
    name: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """What is asked for beside the page itself.

    do: the step whose form is open; given, errors: what was sent with it, and why it was refused. failure: why a step
    was not taken; conflict: what was changed meanwhile. refused: what was said of the traffic and not done. anyway:
    show numbers that are not to be used. open: the key of the metric whose rows are open.
    """

    do: Step | None = None
    given: Given | None = None
    errors: Mapping[str, str] | None = None
    failure: str = ""
    conflict: Conflict | None = None
    refused: Refused | None = None
    anyway: bool = False
    open: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What the address says of the sections that change with the numbers."""
        return ({"anyway": "1"} if self.anyway else {}) | ({"open": self.open} if self.open else {})


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """Everything the page shows."""

    key: str
    name: str
    hypothesis: str
    version: int
    state: Badge
    facts: tuple[str, ...]
    tags: tuple[str, ...]
    offers: tuple[Offer, ...]
    asked: Asked | None
    failure: str
    conflict: Conflict | None
    asof: AsOf | None
    watermark: datetime | None
    decision: DecisionBlock
    notices: tuple[Notice, ...]
    metrics: Metrics | None
    exposures: Exposures | None
    guardrails: tuple[GuardrailRow, ...]
    traffic: Traffic | None
    downloads: tuple[Download, ...]
    configuration: Configuration
    history: tuple[Entry, ...]
    more_history: bool


def experiment_page(
    experiment: ExperimentOut,
    glance: Glance,
    versions: Sequence[VersionOut],
    now: datetime,
    *,
    may_edit: bool,
    more_history: bool = False,
    ways: Ways | None = None,
    report: ReportOut | None = None,
) -> ExperimentPage:
    """The page of an experiment as it stands. versions: newest first. report: the newest one, where there is one."""
    ways = ways or Ways()
    seen = seen_of(experiment, glance)
    asked = None
    if may_edit and ways.do is not None and ways.conflict is None:
        asked = asked_of(experiment, ways.do, now, ways.given, ways.errors)
    look = glance.look if seen.answer is not None else None
    return ExperimentPage(
        key=experiment.key,
        name=experiment.name or experiment.key,
        hypothesis=plain(experiment.hypothesis),
        version=experiment.version,
        state=badge_of(experiment),
        facts=_facts(experiment, _units(seen), now),
        tags=tuple(map(plain, experiment.tags)),
        offers=offers_of(experiment, now, may_edit=may_edit),
        asked=asked,
        failure=ways.failure,
        conflict=ways.conflict,
        asof=None if look is None else _asof(look.stamp.computed_at, glance),
        watermark=None if look is None else look.stamp.watermark,
        decision=decision_of(experiment, seen, now),
        notices=(*_old(glance, look is not None), *notices_of(experiment, seen)),
        metrics=metrics_of(experiment, seen, anyway=ways.anyway, is_open=ways.open)
        if experiment.metrics
        else None,
        exposures=exposures_of(experiment, seen),
        guardrails=() if seen.is_invalid and not ways.anyway else _guardrails(seen.effects),
        traffic=traffic_section(experiment, may_edit=may_edit, refused=ways.refused),
        downloads=_downloads(experiment, report),
        configuration=configuration_of(experiment),
        history=entries_of(versions),
        more_history=more_history,
    )


def drawn_sections(pulse: Pulse, root: str, ways: Ways) -> str:
    """The sections of the page that change with the numbers, drawn once for all who are shown the same."""
    known = any(metric.key == ways.open for metric in pulse.experiment.metrics)
    chosen = (root, ways if known else replace(ways, open=""))
    if chosen not in pulse.drawn:
        now = datetime.now(UTC)
        page = experiment_page(pulse.experiment, pulse.glance, (), now, may_edit=False, ways=chosen[1])
        pulse.drawn[chosen] = render("experiment.html", Frame(root, "", layout="bare.html"), page=page)
    return pulse.drawn[chosen]


def conflict_of(
    experiment: ExperimentOut, versions: Sequence[VersionOut], step: Step, saw: int, given: Given
) -> Conflict:
    """What was done since the version that was seen, and the step that was not taken for it."""
    sent = {
        "step": step.value,
        "outcome": given.outcome,
        "variant_key": given.variant_key,
        "reason": given.reason,
    }
    offered = {offer.step for offer in offers_of(experiment, datetime.now(UTC), may_edit=True)}
    return _conflict(experiment, versions, saw, label_of(step), sent, "", step.value in offered)


def traffic_conflict_of(
    experiment: ExperimentOut, versions: Sequence[VersionOut], act: Act, saw: int, wanted: Wanted
) -> Conflict:
    """As `conflict_of`, of what was said of the traffic."""
    sent = {"act": act.value} | fields_of(act, wanted)
    return _conflict(
        experiment, versions, saw, label_of_act(act), sent, "/traffic", act in acts_of(experiment)
    )


def _conflict(
    experiment: ExperimentOut,
    versions: Sequence[VersionOut],
    saw: int,
    label: str,
    sent: Mapping[str, str],
    to: str,
    possible: bool,
) -> Conflict:
    since = entries_of([version for version in versions if version.version > saw])
    changed = changes_since(versions, saw)
    return Conflict(label, saw, experiment.version, since, changed, tuple(sent.items()), to, possible)


def _downloads(experiment: ExperimentOut, report: ReportOut | None) -> tuple[Download, ...]:
    """Nothing of what has not started: there are no numbers."""
    if experiment.started_at is None and experiment.source == "internal":
        return ()
    key = experiment.key
    found = [Download(f"/v1/experiments/{quote(key)}/results", "results as JSON", f"{key}-results.json")]
    if report is not None:
        found.append(Download(report.url, "newest report", f"{key}-report.html", report.created_at))
    return tuple(found)


def _facts(experiment: ExperimentOut, units: int | None, now: datetime) -> tuple[str, ...]:
    about = about_of(experiment, now)
    day = ""
    if about.day is not None and experiment.source == "internal":
        day = f"day {about.day}" + (f" of {about.planned_days}" if about.planned_days else "")
        if experiment.status not in STARTED:
            day = f"ran {about.day} day{'s' * (about.day != 1)}"
    elsewhere = experiment.source == "external"
    return tuple(
        filter(
            None,
            (
                day,
                "collected elsewhere" if elsewhere else f"{traffic_of(experiment)} of traffic",
                f"version {experiment.version}",
                "" if units is None else f"{numbers.count(units)} units",
                f"{len(experiment.variants)} arms" if len(experiment.variants) > 2 else "",
                f"owner {plain(experiment.owner)}" if experiment.owner else "nobody owns it",
                f"since {instant(experiment.started_at)}" if experiment.started_at else "",
            ),
        )
    )


def _units(seen: Seen) -> int | None:
    """None where nothing was counted: then 0 would be a number."""
    return seen.answer.units if seen.answer and seen.answer.status in _COUNTED else None


def _asof(computed: datetime, glance: Glance) -> AsOf:
    return AsOf(computed, bool(glance.missing) and glance.age > _LATE_SECONDS)


def _old(glance: Glance, is_shown: bool) -> tuple[Notice, ...]:
    """Numbers that are shown though no newer ones came."""
    if not is_shown or glance.missing in (Missing.NOTHING, Missing.NOT_ASKED):
        return ()
    minutes = round(glance.age / 60)
    age = f"{minutes} minute{'s' * (minutes != 1)}" if minutes else f"{round(glance.age)} seconds"
    cause = "ClickHouse does not answer. No event is lost: they are stored, and counted when it is back."
    if glance.missing is Missing.FAILED:
        cause = "Newer ones could not be computed: the API’s log says why."
    return (Notice(f"Results are {age} old", cause, "nothing; this notice goes by itself."),)


def _guardrails(effects: Sequence[Effect]) -> tuple[GuardrailRow, ...]:
    found = []
    for effect in effects:
        if effect.role is not Role.GUARDRAIL:
            continue
        mark, kind, state = _HOLDS[effect.guardrail] if effect.guardrail else ("", "", "no margin is judged")
        change = shown(effect).change
        found.append(
            GuardrailRow(effect.metric, effect.arm, mark, kind, state, change, margin_of(effect) or "none")
        )
    return tuple(found)
