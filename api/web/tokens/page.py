"""What the pages of tokens show: which there are, the form of a new one, what revoking one does. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from api.access.schemas import NewToken, TokenOut
from api.access.tokens import Scope
from api.web.shared.forms import CHECKED, Filled, lines_of
from neonblue.statistics import numbers

_LIVES = {"30": "30 days", "90": "90 days", "365": "a year", "730": "two years", "never": "for ever"}
"""How long a token can be asked to live, in days."""
_USUAL = "365"
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
SCOPES = (
    (Scope.VIEWER, "reads everything but tokens and the audit log"),
    (Scope.EDITOR, "viewer, and creates and changes experiments, metrics, layers, holdouts"),
    (Scope.ADMIN, "everything: tokens, the audit log, erasures, and what the others may"),
    (Scope.INGEST, "sends events; for programs"),
    (Scope.ASSIGN, "asks for variants; for programs"),
)
"""Each scope and what it opens, as the form says it."""
FIELDS = frozenset({"name", "scopes", "origins", "lives", "rate_limit"})
RENAMED = {"expires_at": "lives"}


@dataclass(frozen=True, slots=True)
class State:
    """How a token stands. kind: the badge's colour."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    """One token. may: its scopes; rate: requests a second, empty for the API's setting. is_own: of this session."""

    id: int
    name: str
    hint: str
    may: str
    origins: tuple[str, ...]
    rate: str
    state: State
    expires: datetime | None
    used: datetime | None
    made: datetime
    made_by: str
    revoked: datetime | None
    is_own: bool

    @property
    def can_be_revoked(self) -> bool:
        """Whether there is anything to revoke: once revoked, it stays so."""
        return self.revoked is None


@dataclass(frozen=True, slots=True)
class TokensPage:
    """A page of tokens, newest first. next_href: empty on the last page."""

    rows: tuple[Row, ...]
    is_first: bool
    next_href: str


@dataclass(frozen=True, slots=True)
class NewPage:
    """The form of a new token. filled: as it was sent."""

    filled: Filled = field(default_factory=lambda: Filled({"lives": _USUAL}))
    scopes: tuple[tuple[Scope, str], ...] = SCOPES
    lives: tuple[tuple[str, str], ...] = tuple(_LIVES.items())


@dataclass(frozen=True, slots=True)
class MadePage:
    """A token just made, with its secret. is_for_people: whether one can log in with it."""

    row: Row
    secret: str
    is_for_people: bool


@dataclass(frozen=True, slots=True)
class RevokePage:
    """What is asked before a token is revoked. error: why it was refused, empty before."""

    row: Row
    error: str = ""


def tokens_page(
    tokens: Sequence[TokenOut], cursor: tuple[str | None, str | None], own: int, now: datetime
) -> TokensPage:
    """cursor: that of this page, None on the first, and that of the next. own: the number of the session's token."""
    following = f"?{urlencode({'cursor': cursor[1]})}" if cursor[1] else ""
    return TokensPage(tuple(row_of(token, own, now) for token in tokens), cursor[0] is None, following)


def row_of(token: TokenOut, own: int, now: datetime) -> Row:
    """The token as a row."""
    return Row(
        id=token.id,
        name=token.name,
        hint=token.hint,
        may=", ".join(token.scopes),
        origins=tuple(token.origins or ()),
        rate="" if token.rate_limit is None else f"{numbers.count(token.rate_limit)} a second",
        state=_state(token, now),
        expires=token.expires_at,
        used=token.last_used_at,
        made=token.created_at,
        made_by=token.created_by,
        revoked=token.revoked_at,
        is_own=token.id == own,
    )


def made_page(token: NewToken, own: int, now: datetime) -> MadePage:
    """The only page that has the secret."""
    people = {Scope.VIEWER, Scope.EDITOR, Scope.ADMIN}
    return MadePage(
        row_of(token, own, now), token.secret, token.origins is None and not people.isdisjoint(token.scopes)
    )


def asked_for(form: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The form as the API takes it; what it can't take stays a text, which the API refuses."""
    lives, rate, origins = form.get("lives", ""), form.get("rate_limit", "").strip(), form.get("origins", "")
    return {
        "name": form.get("name", "").strip(),
        "scopes": [scope.value for scope in Scope if form.get(f"scope_{scope}") == CHECKED],
        "origins": lines_of(origins) or None,
        "expires_at": None if lives == "never" else _end(lives, now),
        "rate_limit": None if not rate else int(rate) if _WHOLE.fullmatch(rate) else rate,
    }


def _end(lives: str, now: datetime) -> datetime | str:
    return now + timedelta(days=int(lives)) if lives in _LIVES else lives


def _state(token: TokenOut, now: datetime) -> State:
    if token.revoked_at is not None:
        return State("revoked", "")
    if token.expires_at is not None and token.expires_at <= now:
        return State("expired", "warn")
    return State("active", "ok")
