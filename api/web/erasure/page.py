"""What the page of an erasure's receipt shows. It names nobody. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.erasures.schemas import Receipt, State
from neonblue.statistics import numbers

_STORES = {
    "postgresql": "PostgreSQL",
    "valkey": "Valkey",
    "clickhouse": "ClickHouse",
    "outbox": "the outbox",
    "topic": "the topic",
}
_SAID = {
    State.REMOVING: ("caution", "!", "Being removed", "It is gone from PostgreSQL; the other stores follow."),
    State.RETAINED: (
        "keep",
        "…",
        "Removed; retention has to forget the rest",
        "Nothing that can be asked for holds it. What is below is forgotten by its date.",
    ),
    State.CLOSED: (
        "ship",
        "✓",
        "Closed: nothing is left",
        "No store holds it, and nothing can bring it back.",
    ),
}


@dataclass(frozen=True, slots=True)
class Gone:
    """What was removed from one place. rows: how many, or a dash where nobody counts."""

    store: str
    place: str
    rows: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Left:
    """What still holds the person, why, and until when at the latest; None where that depends on another part."""

    store: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ErasurePage:
    """A receipt. kind, mark, title, say: its state in a sentence. linked: receipts of the anonymous ids."""

    id: str
    unit_type: str
    kind: str
    mark: str
    title: str
    say: str
    erased_at: datetime
    closed_at: datetime | None
    problem: str
    linked: tuple[str, ...]
    gone: tuple[Gone, ...]
    left: tuple[Left, ...]


def erasure_page(receipt: Receipt) -> ErasurePage:
    """The receipt as people read it."""
    kind, mark, title, say = _SAID[receipt.state]
    return ErasurePage(
        id=str(receipt.id),
        unit_type=receipt.unit_type,
        kind=kind,
        mark=mark,
        title=title,
        say=say,
        erased_at=receipt.erased_at,
        closed_at=receipt.closed_at,
        problem=receipt.problem or "",
        linked=tuple(str(other) for other in receipt.linked),
        gone=tuple(
            Gone(
                _STORES[one.store],
                one.place,
                numbers.NONE if one.rows is None else numbers.count(one.rows),
                one.at,
            )
            for one in receipt.removed
        ),
        left=tuple(Left(_STORES[one.store], one.reason, one.until) for one in receipt.pending),
    )
