"""Values of the API as texts on a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from neonblue.texts import instant, plain

_BASIS_POINTS = 100


def share(basis_points: int | None) -> str:
    """Basis points of traffic as a percentage: 2000 → 20 %."""
    return "" if basis_points is None else f"{basis_points / _BASIS_POINTS:g} %"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return "" if at is None else instant(at)


def day(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d}"


def compact(value: Any) -> str:
    """Any JSON value, short."""
    if value is None:
        return "none"
    return plain(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
