"""One live look at an experiment: its rows, the question they put, and the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from neonblue.analysis import ExperimentRows, Question, ask, look_of, shown
from neonblue.analysis.about import about_of
from neonblue.analysis.answer import Answer, answer_of, nothing
from neonblue.analysis.stamp import Stamp, stamp_now
from neonblue.analysis.why import State, Why
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.arrivals import Arrivals, read_arrivals, unbuilt_days
from neonblue.results.checks import arrival_checks
from neonblue.results.states import (
    NOT_INGESTED,
    assigned_of,
    before_the_start,
    never_built,
    state_of,
    units_of,
)
from neonblue.results.sums import read_rows
from neonblue.results.warehouse import Counted, NotBuilt, Warehouse
from neonblue.statistics import Report


@dataclass(frozen=True, slots=True)
class Look:
    """Everything of one look. configuration, question and what follows are None where the answer says why.

    report: as it is shown. configurations: the experiment's snapshots by version. to_keep: where the look counts under
    the plan, what is to be kept of it before it is published. counted: up to when the numbers count.
    """

    stamp: Stamp
    answer: Answer
    configuration: ExperimentMessage | None = None
    rows: ExperimentRows | None = None
    question: Question | None = None
    report: Report | None = None
    configurations: Mapping[int, ExperimentMessage] = field(default_factory=dict)
    to_keep: LookMessage | None = None
    counted: Counted = field(default_factory=Counted)


def look(
    warehouse: Warehouse,
    key: str,
    experiment_id: int = 0,
    looks: Sequence[LookMessage] = (),
    *,
    taking: bool = False,
) -> Look:
    """Compute the experiment's results as of now. Raises ClickHouse's or the network's error.

    experiment_id: for the answer of an experiment whose configuration has not arrived. looks: those that are kept;
    taking: whether this one will be published, so that it counts.
    """
    seen = _look(warehouse, key, experiment_id, looks, taking=taking)
    if seen.configuration is None:
        return seen
    about = about_of(seen.configuration, seen.stamp.computed_at)
    return replace(seen, answer=replace(seen.answer, about=about))


def _look(
    warehouse: Warehouse, key: str, experiment_id: int, looks: Sequence[LookMessage], *, taking: bool
) -> Look:
    configurations = warehouse.configurations(key)
    counted = warehouse.counted()
    if not configurations:
        stamp = stamp_now(warehouse.watermark(counted), None)
        return Look(stamp, nothing(key, experiment_id, stamp, NOT_INGESTED))
    newest = configurations[max(configurations)]
    # Before the rows: what arrives in between may be in the numbers, and is not promised.
    stamp = stamp_now(warehouse.watermark(counted), newest)
    why = before_the_start(newest)
    if why is not None:
        return Look(stamp, nothing(key, newest.experiment_id, stamp, why), newest)
    # A window that has ended since is judged once what happened in it is sure to be counted.
    now = counted.to or stamp.computed_at
    try:
        rows = read_rows(warehouse, [configurations], stamp.computed_at)[newest.experiment_id]
    except NotBuilt:
        why = never_built(stamp.computed_at)
        return Look(stamp, nothing(key, newest.experiment_id, stamp, why), newest)
    why, assigned = read_state(warehouse, newest, rows, counted, stamp.computed_at)
    if why.state not in (State.OK, State.NO_DATA):
        return Look(stamp, nothing(key, newest.experiment_id, stamp, why), newest)
    question = ask(configurations, rows, now.date(), looks, now=now, taking=taking)
    answered = question.answer()
    health = (*answered.health, *arrival_checks(newest, rows, assigned, now))
    report = replace(shown(question, answered), health=health)
    answer = answer_of(question, report, stamp, why, assigned)
    return Look(
        stamp, answer, newest, rows, question, report, configurations, look_of(question, answered), counted
    )


def read_state(
    warehouse: Warehouse, newest: ExperimentMessage, rows: ExperimentRows, counted: Counted, now: datetime
) -> tuple[Why, int]:
    """Whether what is there is the whole, and how many units are assigned. Raises ClickHouse's or the network's error.

    rows: those that are judged. What ClickHouse has received is read only where it can't be told without: it takes
    longer than the numbers.
    """
    arrivals = Arrivals()
    if not units_of(rows) or newest.source == "external":
        arrivals = read_arrivals(warehouse, newest, counted)
    days = unbuilt_days(warehouse, newest, counted)
    why = state_of(newest, rows, arrivals, days, counted, now)
    return why, assigned_of(rows, arrivals)
