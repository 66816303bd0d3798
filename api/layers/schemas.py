"""What people write on a layer, and what they read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.fields import Key, Name, Salt, Strict, describe_patch
from neonblue.contract.life_cycle import Status

_SHOWN: dict[str, Any] = {
    "key": "checkout",
    "name": "Everything in the checkout",
    "salt": "5a0c3f6e8b9d4c2a",
    "slots": [{"experiment": "checkout-2026", "status": "running", "start": 0, "end": 5000}],
    "free": 5000,
    "largest_free": 5000,
    "version": 1,
    "created_at": "2026-03-01T09:30:00Z",
}


class LayerNew(Strict):
    """A layer to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"key": "checkout", "name": "Everything in the checkout"}]}
    )

    key: Key
    name: Name | None = None
    salt: Salt | None = Field(default=None, description="Made where absent; never changes")


class LayerPatch(Strict):
    """What to change."""

    model_config = ConfigDict(json_schema_extra=describe_patch({"name": "Checkout"}))

    name: Name | None = None


class SlotsOut(BaseModel):
    """Basis points of the layer from `start` up to, not including, `end`."""

    experiment: str
    status: Status
    start: int
    end: int


class LayerOut(BaseModel):
    """A layer, the slots that are held, and the room that is left, in basis points."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    key: str
    name: str | None
    salt: str
    slots: list[SlotsOut]
    free: int
    largest_free: int = Field(description="In one piece: the largest share an experiment can have")
    version: int
    created_at: datetime


class LayerPage(BaseModel):
    """Layers, newest first. `next_cursor` is null on the last page."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SHOWN], "next_cursor": None}]})

    items: list[LayerOut]
    next_cursor: str | None
