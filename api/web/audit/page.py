"""What the audit log's page shows: who did what to which object, and what differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from api.audit_log.schemas import AuditEntry
from api.web.shared.difference import Difference, difference_of
from api.web.shared.forms import Filled
from neonblue.contract.requests import DEFAULT_UNIT_TYPE

FIELDS = (
    "actor",
    "action",
    "object_type",
    "object_id",
    "user_id",
    "unit_type",
    "request_id",
    "since",
    "until",
)
"""The filters of the API, which stand in the address."""
TIMES = frozenset({"since", "until"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ZONE = re.compile(r"(Z|[+-]\d{2}:?\d{2})$", re.ASCII | re.IGNORECASE)
_JSON_LIMIT = 200
_PAGES = {
    "experiment": "/experiments/{}",
    "metric": "/catalogue/{}",
    "layer": "/layers/{}",
    "holdout": "/holdouts/{}",
    "token": "/tokens",
    "stream": "/pipeline",
    "dead_letters": "/pipeline",
}
"""Where what an entry is about has its page. A person has none here: entries name it by its pseudonym."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters as they were typed; empty texts ask for nothing."""

    typed: Mapping[str, str]

    @property
    def asked(self) -> dict[str, str]:
        """As the API takes them."""
        given = {name: self.typed.get(name, "").strip() for name in FIELDS}
        if not given["user_id"]:
            given["unit_type"] = ""
        return {name: _moment(text) if name in TIMES else text for name, text in given.items() if text}

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is searched for."""
        return bool(self.asked)

    def address(self, cursor: str = "") -> str:
        """The page with these filters, from its own address on."""
        query = urlencode({**self.asked, **({"cursor": cursor} if cursor else {})})
        return f"?{query}" if query else "?"

    @property
    def program(self) -> str:
        """The same entries of the API, as JSON."""
        return f"/v1/audit?{urlencode({**self.asked, 'limit': _JSON_LIMIT})}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. href: the page of the object, empty where it has none; the others: filters by what it names."""

    id: int
    at: datetime
    actor: str
    what: str
    object_type: str
    object_id: str
    href: str
    address: str
    request_id: str
    of_actor: str
    of_object: str
    of_request: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. filled: the filters, with what is wrong with them. next_href: empty on the last page."""

    wanted: Wanted
    filled: Filled
    entries: tuple[Entry, ...]
    is_first: bool
    next_href: str


def audit_page(
    wanted: Wanted,
    entries: Sequence[AuditEntry],
    cursor: tuple[str, str | None] = ("", None),
    refused: Filled | None = None,
) -> AuditPage:
    """cursor: that of this page, empty on the first, and that of the next. refused: the filters, if they were."""
    typed = {"unit_type": DEFAULT_UNIT_TYPE} | {name: text for name, text in wanted.typed.items() if text}
    return AuditPage(
        wanted=wanted,
        filled=Filled(typed, refused.errors if refused else {}),
        entries=tuple(_entry(entry) for entry in entries),
        is_first=not cursor[0],
        next_href=wanted.address(cursor[1]) if cursor[1] else "",
    )


def _entry(entry: AuditEntry) -> Entry:
    page = _PAGES.get(entry.object_type)
    return Entry(
        id=entry.id,
        at=entry.at,
        actor=entry.actor,
        what=entry.action.replace("_", " "),
        object_type=entry.object_type.replace("_", " "),
        object_id=entry.object_id,
        href=page.format(quote(entry.object_id, safe="")) if page else "",
        address=entry.address or "",
        request_id=entry.request_id or "",
        of_actor=Wanted({"actor": entry.actor}).address(),
        of_object=Wanted({"object_type": entry.object_type, "object_id": entry.object_id}).address(),
        of_request=Wanted({"request_id": entry.request_id or ""}).address(),
        difference=difference_of(entry.before, entry.after),
    )


def _moment(text: str) -> str:
    """A day is its start; a time without a zone is in UTC."""
    if _DAY.fullmatch(text):
        return f"{text}T00:00:00Z"
    return text if _ZONE.search(text) or not text[:1].isdigit() else f"{text}Z"
