"""How often a key was asked for, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_COUNT: dict[str, Any] = {"variant_key": "short-form", "reason": "assigned", "count": 1210}
_EXAMPLE: dict[str, Any] = {
    "experiment": "checkout-2026",
    "counted_since": "2026-01-04T07:00:00Z",
    "since": "2026-03-01T09:00:00Z",
    "until": "2026-03-01T11:00:00Z",
    "total": 1210,
    "first_asked_at": "2026-02-27T16:04:15Z",
    "last_asked_at": "2026-03-01T10:41:05Z",
    "counts": [_COUNT],
    "hours": [{"hour": "2026-03-01T10:00:00Z", "total": 1210, "counts": [_COUNT]}],
}


class CountOut(BaseModel):
    """How often the key was answered so."""

    variant_key: str | None = Field(description="The variant that was answered; null: none")
    reason: str = Field(
        description="The answer's reason: assigned, not_targeted, holdout, paused, released, …; exposure: not asked "
        "for here, an exposure came as an event"
    )
    count: int = Field(description="How often")


class HourOut(BaseModel):
    """One hour in which the key was asked for."""

    hour: datetime = Field(description="When the hour began")
    total: int = Field(description="How often the key was asked for in it")
    counts: list[CountOut] = Field(description="The same by variant and reason")


class EvaluationsOut(BaseModel):
    """How often a key was asked for, hour by hour: whether it can be taken out of the code."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    experiment: str
    counted_since: datetime = Field(
        description="From when on all is counted and kept: what was before is not known"
    )
    since: datetime = Field(description="When the first hour of the span began")
    until: datetime = Field(description="When its last hour ends")
    total: int = Field(description="How often the key was asked for in the span")
    first_asked_at: datetime | None = Field(
        description="When it was asked for first, of all that is kept, to five seconds; null: never"
    )
    last_asked_at: datetime | None = Field(
        description="When it was asked for last, of all that is kept, to five seconds; null: never"
    )
    counts: list[CountOut] = Field(
        description="The span's answers by variant and reason, most frequent first"
    )
    hours: list[HourOut] = Field(description="The span's hours in which it was asked for, in order")
