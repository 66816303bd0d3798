"""Units that entered together, as one row of sums, and what becomes of them afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
from numpy.random import Generator

from neonblue.analysis import MomentRow
from neonblue.contract.metric_types import DIVIDED
from neonblue.simulation.lives.design import Later
from neonblue.simulation.lives.measures import Measure, Shape
from neonblue.simulation.lives.units import Drawn, Integers, Sums

NEVER = 1_000_000
_LATEST = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a unit stands: its day, its arm, and the version it entered under."""

    entered: date
    version: int
    arm: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Units of one cell in one metric. drawn: all they ever bring; known, sums: what has arrived of it."""

    measure: Measure
    cell: Cell
    drawn: Drawn
    known: Drawn
    sums: Sums
    finishes_at: datetime | None
    cut_short: bool = False

    @classmethod
    def of(cls, measure: Measure, cell: Cell, drawn: Drawn, day: int, finishes_at: datetime | None) -> Batch:
        """As known on that day."""
        known = measure.known(drawn, day)
        return cls(measure, cell, drawn, known, measure.sums(known), finishes_at)

    def having(self, drawn: Drawn, day: int) -> Batch:
        """With other values."""
        known = self.measure.known(drawn, day)
        return replace(self, drawn=drawn, known=known, sums=self.measure.sums(known))

    def finished_by(self, moment: datetime) -> bool:
        """Whether the units' windows had ended by then, with no interruption in them."""
        return self.finishes_at is not None and self.finishes_at <= moment and not self.cut_short

    def row(self, cap: float | None = None) -> MomentRow:
        """As the warehouse has it. cap: in the values' integers."""
        sums = self.sums if cap is None else self.measure.sums(self.known, cap)
        return row_of(self.measure, self.cell, sums, self.finishes_at, cut_short=self.cut_short)


def row_of(
    measure: Measure, cell: Cell, sums: Sums, finishes_at: datetime | None, *, cut_short: bool = False
) -> MomentRow:
    """Sums as a row of `metric_moments`."""
    ratio = measure.message.type in DIVIDED
    return MomentRow(
        measure.key,
        measure.message.version,
        cell.arm,
        cell.version,
        cell.entered,
        sums.n,
        sums.total,
        sums.squares,
        denominator=sums.second if ratio else None,
        covariate=None if ratio else sums.second,
        finishes_at=finishes_at,
        cut_short=cut_short,
        missing=sums.missing,
    )


def arriving(random: Generator, measure: Measure, drawn: Drawn, later: Later, day: int) -> Drawn:
    """The day's units with what of them arrives late, or was stamped too early to count."""
    n = drawn.values.size
    luck = random.random(n)
    arrives = np.where(luck < later.late, day + 1 + random.integers(1, _LATEST + 1, n), day)
    early = luck > 1 - later.early
    second: Integers | None = drawn.second
    if measure.shape is Shape.HABIT and second is not None:
        second = second + np.where(early, drawn.values, 0)
    return replace(drawn, second=second, arrives=np.where(early, NEVER, arrives))


def erase(
    random: Generator, batches: Sequence[Batch], share: float, day: int
) -> tuple[list[Batch], dict[Cell, int]]:
    """The batches without those who are erased now, and how many went from each cell."""
    gone = {cell: int(random.binomial(size, share)) for cell, size in sizes(batches).items()}
    gone = {cell: count for cell, count in gone.items() if count}
    return [
        batch.having(batch.drawn.without(_places(random, batch, gone[batch.cell])), day)
        if batch.cell in gone
        else batch
        for batch in batches
    ], gone


def link(
    random: Generator, batches: Sequence[Batch], pair: tuple[Cell, Cell], day: int
) -> tuple[list[Batch], dict[Cell, int]]:
    """The batches after a unit of each of two cells turned out to be one person, and how many went from each.

    In two arms, it is in none. In one, the unit is the one that entered first, with what both have done since then: in
    a window that has ended, that is nothing more.
    """
    first, last = sorted(pair, key=lambda cell: (cell.entered, cell.version))
    gone: dict[Cell, int] = defaultdict(int)
    gone[last] += 1
    if first.arm != last.arm:
        gone[first] += 1
    found = list(batches)
    places = {batch.measure.key: at for at, batch in enumerate(found) if batch.cell == first}
    for at, batch in enumerate(batches):
        if batch.cell == last:
            place = _places(random, batch, 1)
            found[at] = batch.having(batch.drawn.without(place), day)
            kept = places[batch.measure.key]
            if first.arm == last.arm and batch.finishes_at is None and place[0] < batch.drawn.values.size:
                taker = found[kept]
                found[kept] = taker.having(_with_another(random, taker, batch.drawn, place[0]), day)
    if first.arm != last.arm:
        for kept in places.values():
            found[kept] = found[kept].having(found[kept].drawn.without(_places(random, found[kept], 1)), day)
    return found, dict(gone)


def sizes(batches: Iterable[Batch]) -> dict[Cell, int]:
    """Units by cell: each has a value, or none, in every metric."""
    return {batch.cell: batch.drawn.size for batch in batches if batch.drawn.size}


def _places(random: Generator, batch: Batch, count: int) -> list[int]:
    return [int(place) for place in random.choice(batch.drawn.size, count, replace=False)]


def _with_another(random: Generator, batch: Batch, of: Drawn, place: int) -> Drawn:
    """The batch's units, one of which has what the unit at that place did, too."""
    drawn = batch.drawn
    if not drawn.values.size:
        return drawn
    taker, values = int(random.integers(drawn.values.size)), drawn.values.copy()
    any_ = batch.measure.message.aggregation == "any"
    values[taker] = max(values[taker], of.values[place]) if any_ else values[taker] + of.values[place]
    second = drawn.second
    if batch.measure.message.type in DIVIDED and second is not None and of.second is not None:
        second = second.copy()
        second[taker] += of.second[place]
    return replace(drawn, values=values, second=second)
