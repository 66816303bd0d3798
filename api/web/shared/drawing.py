"""Intervals as they are drawn: places in per cent of the drawing's width. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from neonblue.findings.effect import Effect
from neonblue.statistics import Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.numbers import MINUS

_STEPS = tuple(base * 10.0**power for power in range(-4, 3) for base in (1.0, 2.0, 5.0))
_EMPTY = 0.2
"""The reach of an axis on which there is nothing yet."""
_ROOM = 3
"""An interval that is not decided may make the axis so many times wider than what must be on it."""
_SIDE = 2
"""Steps of the axis on either side of zero."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis with its label."""

    x: str
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of relative changes, the same for all rows of a table. reach: of either side, 0.2 is 20 %."""

    reach: float

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """From left to right, zero in the middle."""
        step = self.reach / _SIDE
        return tuple(Tick(self.place(i * step), _label(i * step), i == 0) for i in range(-_SIDE, _SIDE + 1))

    @property
    def ends(self) -> str:
        """In words."""
        return f"{_label(-self.reach)} to {_label(self.reach)}"

    def place(self, change: float) -> str:
        """Where a change lies; what is further out lies at the end."""
        share = 50 + 50 * change / self.reach
        return f"{min(max(share, 0.0), 100.0):.2f}%"


@dataclass(frozen=True, slots=True)
class Interval:
    """A line from low to high with a mark at the estimate, None where that is off the axis.

    kind: better or worse where it is decided, else empty. off_left, off_right: it goes on beyond the axis.
    margin: where a guardrail's is, None without one.
    """

    low: str
    high: str
    mark: str | None
    kind: str
    off_left: bool
    off_right: bool
    margin: str | None


def axis_of(effects: Iterable[Effect]) -> Axis:
    """An axis that holds every estimate and margin, every interval that is decided, and of the others what has room."""
    needed, wished = [0.0], [0.0]
    for effect in effects:
        if effect.lift is None:
            continue
        needed += [abs(size) for size in (effect.lift, effect.margin_as_change) if size is not None]
        ends = [abs(end) for end in (effect.lift_lower, effect.lift_upper) if end is not None]
        (needed if kind_of(effect) else wished).extend(ends)
    widest = max(needed)
    widest = max(size for size in (widest, *wished) if size <= _ROOM * widest) or _EMPTY
    step = next((step for step in _STEPS if step * _SIDE >= widest), widest)
    return Axis(step * _SIDE)


def interval_of(effect: Effect, axis: Axis) -> Interval | None:
    """The effect on the axis; None where it has no relative change."""
    if effect.lift is None:
        return None
    low = -math.inf if effect.lift_lower is None else effect.lift_lower
    high = math.inf if effect.lift_upper is None else effect.lift_upper
    margin = effect.margin_as_change
    return Interval(
        low=axis.place(low),
        high=axis.place(high),
        mark=axis.place(effect.lift) if abs(effect.lift) <= axis.reach else None,
        kind=kind_of(effect),
        off_left=low < -axis.reach,
        off_right=high > axis.reach,
        margin=None if margin is None or abs(margin) > axis.reach else axis.place(margin),
    )


def kind_of(effect: Effect) -> str:
    """What colours it: a guardrail with a margin by its margin, all others by their verdict; empty: not decided."""
    if effect.guardrail is GuardrailState.HELD:
        return "better"
    if effect.guardrail is GuardrailState.BREACHED or effect.verdict is Verdict.WORSE:
        return "worse"
    if effect.guardrail is None and effect.verdict is Verdict.BETTER:
        return "better"
    return ""


def _label(change: float) -> str:
    if not change:
        return "0"
    size = f"{100 * abs(change):.10f}".rstrip("0").rstrip(".")
    return f"{MINUS if change < 0 else '+'}{size}\u00a0%"
