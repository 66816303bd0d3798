"""Outcomes of a family's lives counted, and held against what is promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import scipy  # its `stats`, which takes long to import, when it is first used

from neonblue.simulation.lives.playing import Outcome

ERROR = 0.05
"""What may be of false ships, and of false harm."""
INVALID = 0.01
"""What may be of sound experiments that are called invalid."""
_DOUBT = 0.001


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened. of: in so many lives; limit: how often it may, or where `floor`, must."""

    hits: int
    of: int
    limit: float
    floor: bool = False

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def holds(self) -> bool:
        """False where the 99.9 % bound (Clopper and Pearson 1934) lies on the wrong side of the limit."""
        if not self.of:
            return True
        return self._highest() >= self.limit if self.floor else self._lowest() <= self.limit

    def _lowest(self) -> float:
        if self.hits == 0:
            return 0.0
        return float(scipy.stats.beta.ppf(_DOUBT, self.hits, self.of - self.hits + 1))

    def _highest(self) -> float:
        if self.hits == self.of:
            return 1.0
        return float(scipy.stats.beta.ppf(1 - _DOUBT, self.hits + 1, self.of - self.hits))


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of the lives of one family: of so many, from seed 0 on.

    level: the mean level of the intervals that were looked at; shows: for each kind of fault, the first seed that shows
    it.
    """

    family: str
    lives: int
    wrong_ships: int
    wrong_harms: int
    found: int
    intervals: int
    missed: int
    level: float
    invalid: int
    broken: int
    shows: dict[str, int]

    def rates(self, power: float | None) -> dict[str, Rate]:
        """What is promised, beside what happened. power: the share of effects to be found, None without any."""
        rates = {
            "false ship": Rate(self.wrong_ships, self.lives, ERROR),
            "false harm": Rate(self.wrong_harms, self.lives, ERROR),
            "outside its interval": Rate(self.missed, self.intervals, 1 - self.level),
            "called invalid": Rate(self.invalid, self.lives, INVALID),
        }
        if power is not None:
            rates["found"] = Rate(self.found, self.lives, power, floor=True)
        return rates

    def failures(self, power: float | None) -> list[str]:
        """What does not hold, by its name."""
        found = [name for name, rate in self.rates(power).items() if not rate.holds]
        return [*found, "held together"] if self.broken else found


def tally(family: str, outcomes: Sequence[Outcome]) -> Tally:
    """Of the lives of the seeds 0, 1, 2, …, in their order."""
    levels = [outcome.level for outcome in outcomes if outcome.level is not None]
    marks = {
        "false ship": [outcome.wrong_ship for outcome in outcomes],
        "false harm": [outcome.wrong_harm for outcome in outcomes],
        "outside its interval": [bool(outcome.missed) for outcome in outcomes],
        "called invalid": [outcome.invalid for outcome in outcomes],
        "not held together": [outcome.broken is not None for outcome in outcomes],
    }
    return Tally(
        family=family,
        lives=len(outcomes),
        wrong_ships=sum(marks["false ship"]),
        wrong_harms=sum(marks["false harm"]),
        found=sum(outcome.found for outcome in outcomes),
        intervals=len(levels),
        missed=sum(marks["outside its interval"]),
        level=sum(levels) / len(levels) if levels else 1.0,
        invalid=sum(marks["called invalid"]),
        broken=sum(marks["not held together"]),
        shows={name: marked.index(True) for name, marked in marks.items() if any(marked)},
    )
