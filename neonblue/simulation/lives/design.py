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
class Later:
    """What comes to units that were counted.

    late: the share of units of which nothing arrives until one to three days after they entered; early: of whose values
    all is stamped before the exposure, so that it counts as the covariate where there is one, else nowhere. grows: what
    each later day brings to a metric without a window, of an ordinary day's. erased, linked: the share of all units of
    which that is asked on a day; a link makes two units one person.
    """

    late: float = 0.0
    early: float = 0.0
    grows: float = 0.0
    erased: float = 0.0
    linked: float = 0.0


@dataclass(frozen=True, slots=True)
class Design:
    """One life. weights: control's first; per_day: units of all arms; days: until the owner concludes.

    levels: of every day's means, from the first day on. planned_units: None for a confidence sequence. imported: the
    units come from a file, and there is one look. later: None where what was counted stays as it is.
    """

    weights: tuple[int, ...]
    per_day: int
    days: int
    measures: tuple[Measure, ...]
    levels: tuple[float, ...]
    planned_units: int | None = None
    imported: bool = False
    owner: Owner = Owner()
    later: Later | None = None

    @property
    def comes_whole(self) -> bool:
        """Whether the true difference is that of what arrives: else a part of it is missing, or more than a day's."""
        effects = any(measure.effects for measure in self.measures)
        return (
            self.later is None or not effects or not (self.later.late or self.later.early or self.later.grows)
        )

    @property
    def arms(self) -> tuple[str, ...]:
        """Control, and t1, t2, …"""
        return arms_of(len(self.weights))


def arms_of(count: int) -> tuple[str, ...]:
    """The names of so many arms."""
    return (CONTROL, *(f"t{place}" for place in range(1, count)))
