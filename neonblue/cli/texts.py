"""Values of the API as texts on a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

_BASIS_POINTS = 100


def plain(value: Any) -> str:
    """A text that other people wrote, on one line: what would steer the terminal is spelled out."""
    if value is None:
        return ""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(value)
    )


def share(basis_points: int | None) -> str:
    """Basis points of traffic as a percentage: 2000 → 20 %."""
    return "" if basis_points is None else f"{basis_points / _BASIS_POINTS:g} %"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def day(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d}"


def who(created_by: str | None) -> str:
    """Who made a change: the token's name, with its number, as names can repeat."""
    kind, _, rest = (created_by or "").partition(":")
    number, _, name = rest.partition(":")
    return plain(f"{name} (token {number})") if kind == "token" and name else plain(created_by)


def compact(value: Any) -> str:
    """Any JSON value, short."""
    if value is None:
        return "none"
    return plain(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
