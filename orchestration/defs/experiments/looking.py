"""Takes the look of an experiment that is due, and keeps it before anything of it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client

from neonblue.contract.looks import LookMessage
from orchestration.defs.significance.repository import ExperimentData
from orchestration.resources import Api

if TYPE_CHECKING:
    from neonblue.analysis import Question
    from neonblue.statistics import Report


def waiting(client: Client, experiment: ExperimentData) -> str:
    """Why nothing is decided on imported data yet, of which a part waits for a build; empty where all is built.

    Raises ClickHouse's or the network's error.
    """
    from neonblue.analysis.why import State
    from neonblue.results.look import read_state
    from neonblue.results.warehouse import Warehouse

    if experiment.newest.source != "external":
        return ""
    warehouse = Warehouse.of(client, live=False)
    why, _ = read_state(warehouse, experiment.newest, experiment.rows, warehouse.counted(), datetime.now(UTC))
    return why.reason if why.state is State.NOT_BUILT else ""


def taken(api: Api, experiment: ExperimentData, looks: Sequence[LookMessage]) -> tuple[Question, Report]:
    """The question and its answer, as it is shown, after the look that is due; where another run has taken it first,
    after that one.

    looks: those that are kept. Raises httpx's error where the look can't be kept: nothing of it is to be told then.
    """
    from neonblue.analysis import look_of, shown

    question = experiment.ask(looks, taking=True)
    report = question.answer()
    look = look_of(question, report)
    if look is None:
        return question, shown(question, report)
    kept = api.keep_look(look)
    if kept is not None and kept.cells == look.cells:
        return question, shown(question, report)
    question = experiment.ask(api.looks(experiment.newest.key))
    return question, shown(question, question.answer())
