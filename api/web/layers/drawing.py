"""A layer as a bar of all its traffic: places in per cent of the drawing's width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.layers.schemas import LayerOut, SlotsOut
from api.layers.slots import Slots, free_slots
from neonblue.bucketing import FULL_ALLOCATION

_COLOURS = 5
"""Of arms but the control's."""
_PHONE = 340
"""Pixels of the narrowest drawing."""
_LETTER = 7
"""Pixels of a letter, with room."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Slots in one piece. number: of the experiment in the table; 0: free. label: what fits above it, may be empty."""

    x: str
    width: str
    middle: str
    number: int
    colour: int
    label: str


def pieces_of(layer: LayerOut) -> tuple[Piece, ...]:
    """From left to right, without gaps: what experiments hold, and what is free."""
    held = sorted(layer.slots, key=lambda slots: slots.start)
    gaps = free_slots(Slots(slots.start, slots.end) for slots in held)
    found = [(slots.start, slots.end, number, slots.experiment) for number, slots in enumerate(held, 1)]
    found += [(gap.start, gap.end, 0, "free") for gap in gaps]
    return tuple(_piece(*each) for each in sorted(found))


def percent(basis_points: int) -> str:
    """Basis points as per cent: 1250 is “12.5 %”."""
    return f"{basis_points / 100:g} %"


def in_order(slots: Sequence[SlotsOut]) -> list[SlotsOut]:
    """As they lie in the layer, and as pieces are numbered."""
    return sorted(slots, key=lambda each: each.start)


def _piece(start: int, end: int, number: int, name: str) -> Piece:
    share = (end - start) / FULL_ALLOCATION
    return Piece(
        x=_place(start),
        width=_place(end - start),
        middle=f"{50 * (start + end) / FULL_ALLOCATION:.3f}%",
        number=number,
        colour=1 + (number - 1) % _COLOURS if number else 0,
        label=_label(number, name, share * _PHONE / _LETTER),
    )


def _label(number: int, name: str, letters: float) -> str:
    """The longest that has room: number and name, number, nothing."""
    named = f"{number} {name}" if number else name
    for text in (named, str(number) if number else ""):
        if len(text) <= letters:
            return text
    return ""


def _place(basis_points: int) -> str:
    return f"{100 * basis_points / FULL_ALLOCATION:.2f}%"
