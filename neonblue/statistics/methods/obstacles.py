"""What keeps two arms from being compared: rules in their order, the same for one comparison and for arrays of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neonblue.statistics.status import Status, StatusCode

Flags: TypeAlias = bool | NDArray[np.bool_]
StatusArray: TypeAlias = NDArray[np.str_]

FEWEST_UNITS = 2
"""Units of an arm from which on it has a variance."""

NO_STATUS = ""
"""What stands in an array of statuses where nothing is in the way."""

_LONGEST = max(len(code.value) for code in StatusCode)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One rule: where it is met there is no estimate, for the reason that code and sentence give.

    met: of one comparison, or an array of many. n: the units that the sentence of one comparison names as {n}.
    """

    met: Flags
    code: StatusCode
    sentence: str
    n: object = None


def first(obstacles: Sequence[Obstacle]) -> Status | None:
    """The first that one comparison meets, as its status."""
    for obstacle in obstacles:
        if obstacle.met:
            return Status(obstacle.code, obstacle.sentence.format(n=obstacle.n))
    return None


def codes(obstacles: Sequence[Obstacle], shape: tuple[int, ...]) -> StatusArray:
    """Of each of many comparisons the code of the first it meets, NO_STATUS where there is none."""
    found = np.full(shape, NO_STATUS, dtype=f"<U{_LONGEST}")
    for obstacle in reversed(obstacles):
        found[obstacle.met] = obstacle.code.value
    return found


def few_units(
    n_control: float | NDArray[np.float64], n_treatment: float | NDArray[np.float64]
) -> list[Obstacle]:
    """An arm that has no variance, having too few units."""
    return [
        Obstacle(
            n < FEWEST_UNITS,
            StatusCode.NOT_ENOUGH_UNITS,
            f"The {arm} arm has {{n}} units; at least {FEWEST_UNITS} are needed for a variance.",
            n,
        )
        for arm, n in (("control", n_control), ("treatment", n_treatment))
    ]


def no_variance(variance: float | NDArray[np.float64], sentence: str) -> Obstacle:
    """Where the difference has no variance; the sentence says what that means of the method at hand."""
    return Obstacle(variance == 0, StatusCode.ZERO_VARIANCE, sentence)
