"""What is decided of a life before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neonblue.simulation.lives.measures import Measure

CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner does, by the day on which it is done in the morning, days counted from 1.

    weights: new ones; drops: arms that enrol nobody from then on; pauses: days on which nobody is served. stops_at: the
    plain z of a primary metric at which one who peeks concludes at once; None: the plan is kept. heeds: whether what
    is decided is done; else the experiment goes on to its last day.
    """

    weights: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    drops: Mapping[int, str] = field(default_factory=dict)
    pauses: frozenset[int] = frozenset()
    stops_at: float | None = None
    heeds: bool = True


@dataclass(frozen=True, slots=True)
class Design:
    """One life. weights: control's first; per_day: units of all arms; days: until the owner concludes.

    levels: of every day's means, from the first day on. planned_units: None for a confidence sequence. imported: the
    units come from a file, and there is one look.
    """

    weights: tuple[int, ...]
    per_day: int
    days: int
    measures: tuple[Measure, ...]
    levels: tuple[float, ...]
    planned_units: int | None = None
    imported: bool = False
    owner: Owner = Owner()

    @property
    def arms(self) -> tuple[str, ...]:
        """Control, and t1, t2, …"""
        return arms_of(len(self.weights))


def arms_of(count: int) -> tuple[str, ...]:
    """The names of so many arms."""
    return (CONTROL, *(f"t{place}" for place in range(1, count)))
