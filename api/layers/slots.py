"""Where in a layer there is room for one more experiment: pure functions on slots in basis points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neonblue.bucketing import FULL_ALLOCATION


@dataclass(frozen=True, slots=True, order=True)
class Slots:
    """Basis points of a layer from `start` up to, not including, `end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= FULL_ALLOCATION:
            raise ValueError(f"slots: {self.start} to {self.end} is no part of a layer")

    @property
    def share(self) -> int:
        return self.end - self.start


def free_slots(taken: Iterable[Slots]) -> list[Slots]:
    """The gaps between the slots that are taken, in their order."""
    gaps: list[Slots] = []
    position = 0
    for slots in sorted(taken):
        if slots.start > position:
            gaps.append(Slots(position, slots.start))
        position = max(position, slots.end)
    if position < FULL_ALLOCATION:
        gaps.append(Slots(position, FULL_ALLOCATION))
    return gaps


def find_slots(taken: Iterable[Slots], share: int) -> Slots | None:
    """`share` slots in one piece, from the smallest gap that holds them; None where none does."""
    gaps = [gap for gap in free_slots(taken) if gap.share >= share]
    if not gaps:
        return None
    start = min(gaps, key=lambda gap: (gap.share, gap.start)).start
    return Slots(start, start + share)
