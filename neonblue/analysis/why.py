"""The statuses of a result, each with its reason in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a result is. Only of `ok` and `too_early` there are numbers."""

    OK = "ok"
    TOO_EARLY = "too_early"
    NOT_INGESTED = "not_ingested"
    NOT_STARTED = "not_started"
    NOT_BUILT = "not_built"
    ON_ITS_WAY = "on_its_way"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class Why:
    """A state, and in words why it is so and what comes next; empty where there is nothing to say."""

    state: State
    reason: str = ""


OK = Why(State.OK)
