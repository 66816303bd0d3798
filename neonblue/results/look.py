"""One live look at an experiment: its rows, the question they put, and the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from neonblue.analysis import ExperimentRows, Question, ask, look_of
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.about import about_of
from neonblue.results.answer import Answer, answer_of, nothing
from neonblue.results.stamp import Stamp, stamp_now
from neonblue.results.sums import read_rows
from neonblue.results.warehouse import NotBuilt, Warehouse
from neonblue.statistics import Report


@dataclass(frozen=True, slots=True)
class Look:
    """Everything of one look. configuration, question and what follows are None where the answer says why.

    configurations: the experiment's snapshots by version. to_keep: where the look counts under the plan, what is to be
    kept of it before it is published.
    """

    stamp: Stamp
    answer: Answer
    configuration: ExperimentMessage | None = None
    rows: ExperimentRows | None = None
    question: Question | None = None
    report: Report | None = None
    configurations: Mapping[int, ExperimentMessage] = field(default_factory=dict)
    to_keep: LookMessage | None = None


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
    if not configurations:
        stamp = stamp_now(warehouse.watermark(), None)
        reason = "The experiment's configuration has not arrived in ClickHouse yet."
        return Look(stamp, nothing(key, experiment_id, stamp, "not_ingested", reason))
    newest = configurations[max(configurations)]
    # Before the rows: what arrives in between may be in the numbers, and is not promised.
    stamp = stamp_now(warehouse.watermark(), newest)
    if newest.status in ("draft", "scheduled"):
        reason = "The experiment has not started."
        return Look(
            stamp, nothing(key, newest.experiment_id, stamp, "not_started", reason), configuration=newest
        )
    # A window that has ended since is judged once what happened in it is sure to be counted.
    now = warehouse.counted_to() or stamp.computed_at
    try:
        rows = read_rows(warehouse, [configurations], stamp.computed_at)[newest.experiment_id]
    except NotBuilt as missing:
        answer = nothing(key, newest.experiment_id, stamp, "not_built", str(missing))
        return Look(stamp, answer, configuration=newest)
    question = ask(configurations, rows, now.date(), looks, now=now, taking=taking)
    report = question.answer()
    answer = answer_of(question, report, stamp)
    return Look(stamp, answer, newest, rows, question, report, configurations, look_of(question, report))
