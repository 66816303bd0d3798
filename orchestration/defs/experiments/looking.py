"""Takes the look of an experiment that is due, and keeps it before anything of it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neonblue.contract.looks import LookMessage
from orchestration.defs.significance.repository import ExperimentData
from orchestration.resources import Api

if TYPE_CHECKING:
    from neonblue.analysis import Question
    from neonblue.statistics import Report


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
