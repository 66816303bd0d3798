"""Times on the wire: RFC 3339 in UTC with microseconds and `Z`, so that equal times are equal texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import to_builtins

_LENGTH = len("2026-03-01T09:30:00.250000Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def format_instant(instant: datetime) -> str:
    """`2026-03-01T09:30:00.250000Z`. Raises ValueError for a time without a zone."""
    if instant.tzinfo is not UTC:
        if instant.tzinfo is None:
            raise ValueError("the time has no zone")
        instant = instant.astimezone(UTC)
    text: str = to_builtins(instant)
    return text if len(text) == _LENGTH else f"{text[:-1]}.000000Z"


def parse_instant(text: str) -> datetime:
    """The inverse of `format_instant`; other RFC 3339 texts with a zone are taken too."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("the time has no zone")
    return instant.astimezone(UTC)


def microseconds(instant: datetime) -> int:
    """Since 1970, exactly: as PostgreSQL and ClickHouse keep it."""
    return (instant - EPOCH) // timedelta(microseconds=1)
