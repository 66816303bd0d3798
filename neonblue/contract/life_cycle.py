"""The life cycle as a state machine: draft → scheduled → running ⇄ paused → concluded → archived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where an experiment stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    CONCLUDED = "concluded"
    ARCHIVED = "archived"


class Step(StrEnum):
    """A step of the life cycle."""

    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    START = "start"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"
    RESUME = "resume"
    CONCLUDE = "conclude"
    ARCHIVE = "archive"


class IllegalStep(ValueError):  # noqa: N818 - what happened, not whose error
    """The step can't be taken from this state. `legal`: those that can."""

    def __init__(self, status: Status, step: Step) -> None:
        self.status = status
        self.legal = legal_steps(status)
        names = ", ".join(self.legal) or "none"
        super().__init__(f"{status} experiments can't take the step {step}; legal steps: {names}")


_NEXT: Mapping[Status, Mapping[Step, Status]] = MappingProxyType(
    {
        Status.DRAFT: {Step.SCHEDULE: Status.SCHEDULED, Step.START: Status.RUNNING},
        Status.SCHEDULED: {Step.START: Status.RUNNING, Step.UNSCHEDULE: Status.DRAFT},
        Status.RUNNING: {
            Step.PAUSE: Status.PAUSED,
            Step.ROLL_BACK: Status.PAUSED,
            Step.CONCLUDE: Status.CONCLUDED,
        },
        Status.PAUSED: {
            Step.RESUME: Status.RUNNING,
            Step.ROLL_BACK: Status.PAUSED,
            Step.CONCLUDE: Status.CONCLUDED,
        },
        Status.CONCLUDED: {Step.ARCHIVE: Status.ARCHIVED},
        Status.ARCHIVED: {},
    }
)

STARTED = frozenset({Status.RUNNING, Status.PAUSED})
"""Units have entered and more may: what decides their variants is fixed."""

ENDED = frozenset({Status.CONCLUDED, Status.ARCHIVED})
"""No unit enters any more: the slots of its layer are free again."""


def legal_steps(status: Status) -> list[Step]:
    """The steps that can be taken from a state."""
    return list(_NEXT[status])


def next_status(status: Status, step: Step) -> Status:
    """Where a step leads. Raises IllegalStep."""
    try:
        return _NEXT[status][step]
    except KeyError:
        raise IllegalStep(status, step) from None


def due_step(status: Status, start: datetime | None, stop: datetime | None, now: datetime) -> Step | None:
    """The step whose scheduled time has come.

    A scheduled experiment whose stop has passed as well goes back to a draft: it must not run for no time at all.
    """
    stopped = stop is not None and stop <= now
    if status in STARTED:
        return Step.CONCLUDE if stopped else None
    if status is not Status.SCHEDULED:
        return None
    if stopped:
        return Step.UNSCHEDULE
    return Step.START if start is not None and start <= now else None
