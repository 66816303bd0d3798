"""What the API says of open erasures, and which of it is trouble. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Pending(msgspec.Struct, frozen=True):
    """A store that still holds the person, why, and until when at the latest."""

    store: str
    reason: str
    until: datetime | None = None


class Receipt(msgspec.Struct, frozen=True):
    """An erasure that is not closed."""

    id: str
    pending: list[Pending] = []
    problem: str | None = None


class Verification(msgspec.Struct, frozen=True):
    """A look at all open erasures."""

    checked: int
    closed: list[str] = []
    pending: list[Receipt] = []
    unreachable: list[str] = []


def troubles(found: Verification, now: datetime) -> list[str]:
    """Stores that could not be looked at, erasures that met a problem, and rows kept beyond their time."""
    lines = [f"{store} could not be looked at" for store in found.unreachable]
    for receipt in found.pending:
        if receipt.problem:
            lines.append(f"erasure {receipt.id}: {receipt.problem}")
        lines += [
            f"erasure {receipt.id}: {pending.store} still holds the person: {pending.reason}"
            for pending in receipt.pending
            if pending.until is not None and pending.until < now
        ]
    return lines
