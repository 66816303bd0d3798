"""One experiment's snapshots, rows and looks, put as the statistics engine's experiment, plan and what stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time

from neonblue.analysis.caps import EmptyCaps, empty_caps, with_empty_caps_told
from neonblue.analysis.experiment import experiment_of, plan_of
from neonblue.analysis.rows import ExperimentRows
from neonblue.analysis.standings import replayed, standings_of
from neonblue.analysis.windows import SoFar, entered_before, finished_by, so_far, waits_for_windows
from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import (
    Action,
    Decision,
    Experiment,
    Inference,
    Plan,
    Report,
    analyze,
    analyze_metrics,
)
from neonblue.statistics.experiment.analysis import Standings

_PENDING = "No decision yet: the experiment is concluded, and the next decision run takes its last look."


@dataclass(frozen=True, slots=True)
class Question:
    """What the statistics engine is asked about one experiment, under which plan and after which looks.

    looks: those that are kept, ascending; standings: what they left. looking: whether this is a look of the plan; a
    page opened between two looks is none. pending: whether the experiment is concluded and its last look still to be
    taken. closed_to: up to when units and events are judged. unfinished: units whose
    window has not ended, by metric and arm: shown beside the others, never judged. now: when it is asked, by default
    closed_to. waits: whether the one test of imported data waits for windows to end. caps: those that leave nothing to
    test.
    """

    configuration: ExperimentMessage
    experiment: Experiment
    plan: Plan
    closed_to: datetime
    looks: tuple[LookMessage, ...] = ()
    standings: Standings = field(default_factory=dict)
    looking: bool = True
    pending: bool = False
    unfinished: Mapping[tuple[str, str], SoFar] = field(default_factory=dict)
    now: datetime | None = None
    waits: bool = False
    caps: EmptyCaps = field(default_factory=dict)

    def answer(self) -> Report:
        """Health, every metric in every arm, and the decision."""
        found = analyze(self.experiment, self.plan, self.standings, looking=self.looking)
        report = with_empty_caps_told(self.caps, found)
        if self.waits and report.decision.action in (Action.KEEP_RUNNING, Action.INCONCLUSIVE):
            return replace(report, decision=Decision(Action.KEEP_RUNNING, self.waiting))
        if self.pending and report.decision.action is Action.INCONCLUSIVE:
            return replace(report, decision=Decision(Action.INCONCLUSIVE, _PENDING))
        return report

    @property
    def waiting(self) -> str:
        """Where it waits: for how many units, and until when."""
        units: Counter[str] = Counter()
        for (metric, _), found in self.unfinished.items():
            units[metric] += found.units
        open_ = max(units.values())
        decides = "One test decides once they have ended or it is concluded."
        return f"Not yet: the windows of {open_:,} units are open. {decides}"


def ask(
    configurations: Mapping[int, ExperimentMessage],
    rows: ExperimentRows,
    today: date,
    looks: Sequence[LookMessage] | None = None,
    *,
    now: datetime | None = None,
    taking: bool = False,
) -> Question:
    """What is to be said of the experiment now.

    configurations: its snapshots by version, at least one. today: the UTC day that is still open; now: up to when the
    rows count, by default its begin. Of a metric with a window, units whose window has ended are judged. Under a
    group-sequential plan each closed day with news is a look. looks: those that were kept; a look that is due is taken
    only where `taking`, by the run that keeps it, once all that it judges is counted. None: the looks are those that
    would have been taken on these rows. The one test of imported data waits until every window has ended.
    """
    newest = configurations[max(configurations)]
    plan = plan_of(newest)
    midnight = datetime.combine(today, time(), UTC)
    now = midnight if now is None else now
    closed_to = _closed_to(newest, plan, midnight, now)
    question = Question(
        newest,
        experiment_of(configurations, rows, finished_by(now)),
        plan,
        now,
        unfinished=so_far(newest, rows, now),
        now=now,
        caps=empty_caps(newest, rows),
    )
    if plan.inference is Inference.FIXED:
        waits = newest.source == "external" and waits_for_windows(configurations, rows, now)
        waiting = replace(plan, ended=False, planned_units=None)
        return replace(question, plan=waiting, waits=True) if waits else question
    if looks is None:
        if plan.inference is Inference.CONFIDENCE_SEQUENCE:
            return question
        closed = _closed(question, configurations, rows, closed_to)
        return replace(closed, standings=replayed(configurations, rows, plan, closed_to))
    standings = standings_of(newest, looks)
    question = replace(question, looks=tuple(looks), standings=standings, looking=False)
    due = not looks or format_instant(closed_to) > looks[-1].closed_to
    # What came in before the conclusion may not be counted yet: the look is taken once, so it waits.
    taken = taking and due and closed_to <= now
    if plan.inference is Inference.CONFIDENCE_SEQUENCE:
        return replace(question, looking=taken)
    # Of an archived experiment no look is kept any more.
    last = due and newest.status == "concluded"
    if not (taken or last):
        return question
    closed = replace(_closed(question, configurations, rows, closed_to), looking=True)
    return closed if taken else replace(question, pending=_tests_anything(closed))


def _closed_to(newest: ExperimentMessage, plan: Plan, midnight: datetime, now: datetime) -> datetime:
    """Up to when a look taken now judges: a group-sequential plan's day closes with its end or the conclusion."""
    if plan.inference is not Inference.GROUP_SEQUENTIAL:
        return now
    if not plan.ended:
        return midnight
    concluded = newest.concluded_at
    return datetime.fromisoformat(concluded) if concluded is not None else max(now, midnight)


def _tests_anything(question: Question) -> bool:
    """Whether the look would test anything: no plan is looked at after its last look, or without news."""
    results = analyze_metrics(question.experiment, question.plan, question.standings)
    return any(result.looked is not None for result in results)


def _closed(
    question: Question,
    configurations: Mapping[int, ExperimentMessage],
    rows: ExperimentRows,
    closed_to: datetime,
) -> Question:
    """The same over what was closed by then. After the conclusion all that came until then counts."""
    finished = finished_by(closed_to)
    entered = finished if question.plan.ended else entered_before(closed_to, finished)
    return replace(question, experiment=experiment_of(configurations, rows, entered), closed_to=closed_to)
