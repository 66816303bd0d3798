"""What a ramp is, and the ready-made ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

from neonblue.contract.durations import read_duration


class WrittenStep(Protocol):
    """A step as requests, answers and messages have it. hold: a duration of ISO 8601."""

    @property
    def allocation(self) -> int: ...
    @property
    def hold(self) -> str: ...
    @property
    def units(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class RampStep:
    """A share of traffic, in basis points, and what must be reached before the next one.

    hold: how long it stays. units: how many units must be in, over all arms and since the start; None: any number.
    """

    share: int
    hold: timedelta
    units: int | None = None


@dataclass(frozen=True, slots=True)
class Ramp:
    """Steps of growing shares. concludes: whether the last one, when its time has come, ends it with a release.

    Raises ValueError for no step, or shares that do not grow.
    """

    steps: tuple[RampStep, ...]
    concludes: bool = False

    def __post_init__(self) -> None:
        shares = [step.share for step in self.steps]
        if not shares or any(later <= earlier for earlier, later in pairwise(shares)):
            raise ValueError("a ramp has steps, and each has a larger share than the one before")

    @classmethod
    def written(cls, steps: Iterable[WrittenStep], *, concludes: bool) -> Ramp:
        """The ramp of these steps. Raises ValueError also for what is no duration."""
        read = (RampStep(step.allocation, read_duration(step.hold), step.units) for step in steps)
        return cls(tuple(read), concludes)

    def reached(self, share: int) -> int:
        """How many steps this share has reached: it takes part in none of the following ones yet."""
        return sum(step.share <= share for step in self.steps)


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A ramp that has a name, and what a breach does in it."""

    steps: tuple[RampStep, ...]
    on_breach: str


def _of(steps: Iterable[tuple[int, int]]) -> tuple[RampStep, ...]:
    """Steps from percent and days."""
    return tuple(RampStep(percent * 100, timedelta(days=days)) for percent, days in steps)


def _daily(percents: Sequence[int]) -> tuple[RampStep, ...]:
    return _of((percent, 1) for percent in percents)


READY_MADE: Mapping[str, ReadyMade] = MappingProxyType(
    {
        "standard": ReadyMade(_daily((1, 5, 10, 25, 50, 100)), "pause"),
        # No step is more than two and a half times what was watched before it. Two days show what comes back on the day
        # after; a week at half has seen every day of the week before the other half meets the change.
        "careful": ReadyMade(
            _of([(1, 2), (2, 2), (5, 2), (10, 2), (20, 2), (35, 2), (50, 7), (100, 2)]), "roll_back"
        ),
    }
)
"""By name: the steps, and what a breach does where its guardrail does not say."""
