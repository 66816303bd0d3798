"""What the audit log shows, and which entries are asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from api.fields import Instant, Strict, storable
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE

Text = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(storable)]
PersonId = Annotated[str, StringConstraints(min_length=1, max_length=KEY_LENGTH), AfterValidator(storable)]


class AuditFilter(Strict):
    """Which entries (all where empty), and which page of them."""

    actor: Text | None = Field(default=None, description="Who, as the entries say it")
    action: Text | None = Field(
        default=None, description="What was done: create, read, export, log_in, refused_calls, …"
    )
    object_type: Text | None = Field(default=None, description="To what kind of thing")
    object_id: Text | None = Field(default=None, description="To which one")
    user_id: PersonId | None = Field(
        default=None, description="Of this person: the client's own id. None once the person is erased"
    )
    unit_type: PersonId = Field(default=DEFAULT_UNIT_TYPE, description="Of `user_id`: user, device, …")
    request_id: Text | None = Field(default=None, description="In this request, as in X-Request-Id")
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
