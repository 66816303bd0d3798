"""What a receipt says."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

StoreName = Literal["postgresql", "valkey", "clickhouse", "outbox", "topic"]


class State(StrEnum):
    """`removing`: work is under way. `retained`: only what retention must forget is left. `closed`: nothing is."""

    REMOVING = "removing"
    RETAINED = "retained"
    CLOSED = "closed"


class Removed(BaseModel):
    """What was removed. `rows`: how many; null where nobody counts (a log that forgot)."""

    store: StoreName
    place: str = Field(description="The table, the kind of key, the topic")
    rows: int | None
    at: datetime


class Pending(BaseModel):
    """What still holds the person, why, and until when at the latest; null where that depends on another part."""

    store: StoreName
    reason: str
    until: datetime | None


class Receipt(BaseModel):
    """An erasure: what was removed where and when, and what is pending until which date. It names nobody."""

    id: UUID
    unit_type: str
    erased_at: datetime = Field(description="Everything received up to this time is erased")
    state: State
    linked: list[UUID] = Field(description="The erasures of the anonymous ids that were this person's")
    removed: list[Removed]
    pending: list[Pending]
    problem: str | None = Field(description="What stood in the way of the last attempt")
    closed_at: datetime | None


class Verification(BaseModel):
    """What a look at the open erasures found."""

    checked: int
    closed: list[UUID]
    pending: list[Receipt]
    unreachable: list[StoreName] = Field(description="Stores that could not be looked at")
