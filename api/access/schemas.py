"""What people write to make a token or to log in, and what they read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from api.access.tokens import PUBLISHABLE, Scope
from api.fields import Instant, Name, Strict

_LONGEST = timedelta(days=3_660)
_USUAL = timedelta(days=365)
_RATE_MAXIMUM = 1_000_000

Origin = Annotated[
    str,
    StringConstraints(
        max_length=300, pattern=r"^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$"
    ),
]


def _in_a_year() -> datetime:
    return datetime.now(UTC) + _USUAL


class TokenIn(Strict):
    """A token to make. With `origins` it is publishable: it may stand in a web page of those origins."""

    model_config = Strict.model_config | {
        "json_schema_extra": {
            "examples": [
                {"name": "warehouse export", "scopes": ["viewer"], "expires_at": "2027-03-01T00:00:00Z"},
                {"name": "web shop", "scopes": ["ingest", "assign"], "origins": ["https://shop.example.com"]},
            ]
        }
    }

    name: Annotated[Name, StringConstraints(pattern=r"\S")]
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    origins: list[Origin] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="Web origins whose pages may use it, and read the API's answers; only with the scopes ingest and "
        "assign",
    )
    expires_at: Instant | None = Field(
        default_factory=_in_a_year, description="Null: never. Absent: in a year"
    )
    rate_limit: int | None = Field(
        default=None,
        ge=1,
        le=_RATE_MAXIMUM,
        strict=True,
        description="Requests a second. Null: the API's setting",
    )

    @field_validator("expires_at")
    @classmethod
    def _soon(cls, value: datetime | None) -> datetime | None:
        now = datetime.now(UTC)
        if value is not None and not now < value < now + _LONGEST:
            raise ValueError("must lie ahead, by less than ten years")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.scopes)) != len(self.scopes):
            raise ValueError("scopes: each at most once")
        if self.origins is not None and not PUBLISHABLE.issuperset(self.scopes):
            raise ValueError("origins: a publishable token has the scopes ingest and assign only")
        return self


class TokenOut(BaseModel):
    """A token without its secret. `hint`: the secret's first characters. `last_used_at`: to the minute."""

    id: int
    name: str
    hint: str
    scopes: list[Scope]
    origins: list[str] | None
    rate_limit: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewToken(TokenOut):
    """A token just made. `secret` is shown this once."""

    secret: str


class TokenPage(BaseModel):
    """Tokens, newest first. `next_cursor` is null on the last page."""

    items: list[TokenOut]
    next_cursor: str | None


class SessionIn(Strict):
    """A token to log in with."""

    model_config = Strict.model_config | {"json_schema_extra": {"examples": [{"token": "neonblue_sk_…"}]}}

    token: str = Field(min_length=1, max_length=512, json_schema_extra={"format": "password"})


class CallerOut(BaseModel):
    """Who calls. `scopes`: those of the token, with what they imply."""

    name: str
    scopes: list[Scope]


class SessionOut(BaseModel):
    """Who is logged in. Changes of state need `csrf_token` in the header `X-CSRF-Token`."""

    name: str
    scopes: list[Scope]
    csrf_token: str
    expires_at: datetime = Field(description="Ends then, and before if it is not used for some time")
