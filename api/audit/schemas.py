"""What the audit log shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from api.fields import Instant, Strict, storable

Text = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(storable)]


class AuditFilter(Strict):
    """Which entries (all where empty), and which page of them."""

    actor: Text | None = None
    action: Text | None = None
    object_type: Text | None = None
    object_id: Text | None = None
    request_id: Text | None = None
    since: Instant | None = Field(default=None, description="From this time on")
    until: Instant | None = Field(default=None, description="Before this time")
    cursor: str | None = Field(
        default=None, min_length=1, max_length=64, description="`next_cursor` of the page before"
    )
    limit: int = Field(default=50, ge=1, le=200, description="The most items on the page")


class AuditEntry(BaseModel):
    """Who did what to which object, from where. `hash` chains it to the entry before it."""

    id: int
    at: datetime
    actor: str
    address: str | None
    request_id: str | None
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


class AuditPage(BaseModel):
    """Entries, newest first. `next_cursor` is null on the last page."""

    items: list[AuditEntry]
    next_cursor: str | None
