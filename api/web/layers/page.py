"""What the pages of layers and holdouts show, and what their forms say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from api.holdouts.schemas import HoldoutOut
from api.layers.schemas import LayerOut
from api.web.layers.drawing import Piece, in_order, percent, pieces_of
from api.web.shared.forms import Filled
from neonblue.bucketing import FULL_ALLOCATION

FIELDS = frozenset({"key", "name", "salt", "share", "reason"})


class Make(StrEnum):
    """What the list's form makes."""

    LAYER = "layer"
    HOLDOUT = "holdout"


class Act(StrEnum):
    """What is done with one that is there."""

    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Holder:
    """An experiment that holds slots of a layer. number: as in the drawing."""

    number: int
    colour: int
    experiment: str
    status: str
    share: str
    slots: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with its drawing. room: what is left, in a sentence."""

    key: str
    name: str
    version: int
    created_at: datetime
    pieces: tuple[Piece, ...]
    holders: tuple[Holder, ...]
    room: str


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of the traffic that sees no experiment. drawn: the same in per cent of the drawing's width."""

    key: str
    name: str
    version: int
    created_at: datetime
    share: str
    drawn: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """Layers and holdouts, newest first. make: the form that is open, None without one."""

    layers: tuple[Layer, ...]
    holdouts: tuple[Holdout, ...]
    is_first: bool
    more_layers: str
    more_holdouts: str
    make: Make | None = None
    filled: Filled = field(default_factory=Filled)


@dataclass(frozen=True, slots=True)
class LayerPage:
    """One layer. act: the form that is open. conflict: whether it was changed since that was opened."""

    layer: Layer
    act: Act | None = None
    filled: Filled = field(default_factory=Filled)
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class HoldoutPage:
    """One holdout, as a LayerPage has its layer."""

    holdout: Holdout
    act: Act | None = None
    filled: Filled = field(default_factory=Filled)
    conflict: bool = False


def list_page(
    layers: tuple[Sequence[LayerOut], str | None, str | None],
    holdouts: tuple[Sequence[HoldoutOut], str | None, str | None],
    make: Make | None = None,
    filled: Filled | None = None,
) -> ListPage:
    """Of each: what the page has, the cursor of the page, that of the next."""
    here = {"layers": layers[1], "holdouts": holdouts[1]}
    return ListPage(
        layers=tuple(layer_of(each) for each in layers[0]),
        holdouts=tuple(holdout_of(each) for each in holdouts[0]),
        is_first=not any(here.values()),
        more_layers=_address(here | {"layers": layers[2]}) if layers[2] else "",
        more_holdouts=_address(here | {"holdouts": holdouts[2]}) if holdouts[2] else "",
        make=make,
        filled=filled or Filled(),
    )


def layer_of(layer: LayerOut) -> Layer:
    """The layer as its drawing and table have it."""
    pieces = pieces_of(layer)
    colours = {piece.number: piece.colour for piece in pieces}
    holders = tuple(
        Holder(
            number,
            colours[number],
            slots.experiment,
            slots.status.value,
            percent(slots.end - slots.start),
            f"{slots.start} to {slots.end}",
        )
        for number, slots in enumerate(in_order(layer.slots), 1)
    )
    return Layer(layer.key, layer.name or "", layer.version, layer.created_at, pieces, holders, _room(layer))


def holdout_of(holdout: HoldoutOut) -> Holdout:
    """The holdout as its row has it."""
    return Holdout(
        holdout.key,
        holdout.name or "",
        holdout.version,
        holdout.created_at,
        percent(holdout.share),
        f"{100 * holdout.share / FULL_ALLOCATION:.2f}%",
    )


def filled_of(thing: Layer | Holdout) -> Filled:
    """The form of a change as it opens."""
    given = {"name": thing.name}
    if isinstance(thing, Holdout):
        given["share"] = thing.share.removesuffix(" %")
    return Filled(given)


def new_of(make: Make, form: Mapping[str, str]) -> dict[str, Any]:
    """The form of a new one as the API takes it."""
    given: dict[str, Any] = {"key": form.get("key", "").strip(), **_named(form)}
    if salt := form.get("salt", "").strip():
        given["salt"] = salt
    return given | ({"share": _share(form)} if make is Make.HOLDOUT else {})


def change_of(form: Mapping[str, str], *, of_holdout: bool) -> dict[str, Any]:
    """The form of a change as the API takes it."""
    if not of_holdout:
        return _named(form)
    return {**_named(form), "share": _share(form), "reason": form.get("reason", "").strip() or None}


def _named(form: Mapping[str, str]) -> dict[str, Any]:
    return {"name": form.get("name", "").strip() or None}


def _share(form: Mapping[str, str]) -> str:
    """A number is one of per cent, as the field says."""
    text = form.get("share", "").strip()
    return text if text.endswith("%") else f"{text} %"


def _room(layer: LayerOut) -> str:
    if not layer.free:
        return "No room is left."
    if layer.free == layer.largest_free:
        return f"{percent(layer.free)} is free."
    return f"{percent(layer.free)} is free, at most {percent(layer.largest_free)} of it in one piece."


def _address(given: Mapping[str, str | None]) -> str:
    query = urlencode({name: text for name, text in given.items() if text})
    return f"?{query}" if query else "?"
