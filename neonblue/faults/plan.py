"""Which faults strike when: from the seed alone. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from neonblue.faults.kinds import COMPANIONS, NATURES, Kind

T = TypeVar("T")

FIRST_SECONDS = (4.0, 8.0)
"""Before the first fault the load runs alone."""
PAUSE_SECONDS = (8.0, 20.0)
"""Between the end of one fault and the next."""
COMPANION_SHARE = 0.25
LONGEST_SHARE = 0.25
"""Of the whole run, that one fault may last at most."""
OFTEN = (Kind.KILL, Kind.KILL, Kind.STOP)
"""These have more turns than others: they have a target each time."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: `at` and `seconds` in seconds from the start of the load, and for how long it is held.

    `target`: the service that it strikes; '' where its kind strikes none.
    """

    at: float
    kind: Kind
    target: str
    seconds: float

    @property
    def title(self) -> str:
        """Kind and target."""
        return f"{self.kind} {self.target}".strip()

    @property
    def names(self) -> tuple[str, ...]:
        """What the product must name when it tells of this fault; empty: it need not."""
        return (self.target,) if self.target else NATURES[self.kind].names


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one run, in groups: those of one group overlap, groups do not."""

    seed: int
    minutes: float
    groups: tuple[tuple[Fault, ...], ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of them in the order of time."""
        return tuple(fault for group in self.groups for fault in group)

    def has(self, kind: Kind) -> bool:
        """Whether this kind is among them."""
        return any(fault.kind is kind for fault in self.faults)


def make(seed: int, minutes: float, kinds: Sequence[Kind], services: Sequence[str]) -> Plan:
    """The plan of a seed. Every kind, and every service, has a turn before all begin again; `OFTEN` have more.

    Raises ValueError where there is nothing to strike or no time for it.
    """
    if not kinds or not services:
        raise ValueError("there is no fault to plan")
    if minutes <= 0:
        raise ValueError("the minutes must be above 0")
    draw = random.Random(seed)  # noqa: S311 - it must be the same again
    turns, targets = (
        _turns(draw, (*kinds, *(one for one in OFTEN if one in kinds))),
        _turns(draw, tuple(services)),
    )
    end, at = minutes * 60, draw.uniform(*FIRST_SECONDS)
    groups: list[tuple[Fault, ...]] = []
    while not groups or max(at, round(at, 1)) < end:  # as it is written down, to a tenth
        first = _fault(draw, at, next(turns), targets, end)
        group = [first]
        companions = [kind for kind in COMPANIONS if kind in kinds and kind is not first.kind]
        wanted = draw.random() < COMPANION_SHARE
        if wanted and companions and not NATURES[first.kind].alone:
            later = at + draw.uniform(0, max(first.seconds, 2.0))
            group.append(_fault(draw, later, draw.choice(companions), targets, end))
        groups.append(tuple(group))
        at = max(fault.at + fault.seconds for fault in group) + draw.uniform(*PAUSE_SECONDS)
    return Plan(seed, minutes, tuple(groups))


def _fault(draw: random.Random, at: float, kind: Kind, targets: Iterator[str], end: float) -> Fault:
    nature = NATURES[kind]
    shortest, longest = nature.seconds
    # Short ones more often: a run has more of them.
    seconds = shortest + (longest - shortest) * draw.random() ** 2
    seconds = max(shortest, min(seconds, LONGEST_SHARE * end))
    target = next(targets) if nature.of_service else ""
    return Fault(round(at, 1), kind, target, round(seconds, 1))


def _turns(draw: random.Random, items: tuple[T, ...]) -> Iterator[T]:
    """All items in random order, again and again."""
    while True:
        yield from draw.sample(items, len(items))
