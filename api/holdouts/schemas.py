"""What people write on a holdout, and what they read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.fields import BasisPoints, Key, Name, Reason, Salt, Strict, describe_patch

_SHOWN: dict[str, Any] = {
    "key": "2026",
    "name": "Sees nothing in 2026",
    "salt": "5a0c3f6e8b9d4c2a",
    "share": 200,
    "version": 1,
    "created_at": "2026-01-01T00:00:00Z",
}


class HoldoutNew(Strict):
    """A holdout to create."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"key": "2026", "name": "Sees nothing in 2026", "share": 200}]}
    )

    key: Key
    name: Name | None = None
    salt: Salt | None = Field(default=None, description="Made where absent; never changes")
    share: BasisPoints


class HoldoutPatch(Strict):
    """What to change. While experiments that respect it run, the share may only grow."""

    model_config = ConfigDict(json_schema_extra=describe_patch({"share": 300}))

    name: Name | None = None
    share: BasisPoints = 0
    reason: Reason | None = None


class HoldoutOut(BaseModel):
    """A share of all traffic, in basis points, that sees no experiment."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    key: str
    name: str | None
    salt: str
    share: int
    version: int
    created_at: datetime


class HoldoutPage(BaseModel):
    """Holdouts, newest first. `next_cursor` is null on the last page."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SHOWN], "next_cursor": None}]})

    items: list[HoldoutOut]
    next_cursor: str | None
