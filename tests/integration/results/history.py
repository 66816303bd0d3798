"""A small history of known numbers: units take turns in the arms and in what they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

KEY = "checkout"
START = datetime(2026, 2, 1, 12, tzinfo=UTC)
UNITS = 600
DAYS = 6
VARIANTS: list[dict[str, Any]] = [
    {"key": "control", "weight": 1, "is_control": True},
    {"key": "treatment", "weight": 1},
]
METRICS: list[dict[str, Any]] = [
    {
        "key": "bought",
        "type": "proportion",
        "event_type": "purchase",
        "aggregation": "any",
        "window_seconds": 172_800,
    },
    {"key": "revenue", "type": "mean", "event_type": "purchase", "aggregation": "sum", "role": "secondary"},
]


def variant(unit: int) -> str:
    return "treatment" if unit % 2 else "control"


def buys(unit: int) -> bool:
    """Three of ten in control, six of ten in treatment."""
    return unit // 2 % 10 < (6 if unit % 2 else 3)


def amount(unit: int) -> int:
    return 5 + unit // 2 % 7


def entered(unit: int) -> datetime:
    return START + timedelta(days=unit // 2 % DAYS, minutes=unit % 60)


def units(arm: str) -> list[int]:
    return [unit for unit in range(UNITS) if variant(unit) == arm]


def assignments() -> list[dict[str, Any]]:
    return [
        {
            "experiment": KEY,
            "user_id": f"user-{unit}",
            "variant_key": variant(unit),
            "timestamp": entered(unit).isoformat(),
            "attributes": {"platform": ("ios", "android", "web")[unit // 2 % 3]},
        }
        for unit in range(UNITS)
    ]


def event(unit: int, kind: str, minutes: int, **fields: Any) -> dict[str, Any]:
    number = (unit << 8) + minutes % 256 + sum(kind.encode())
    return {
        "id": str(UUID(int=(0x2 << 62) + (0x4 << 76) + number)),
        "user_id": f"user-{unit}",
        "event_type": kind,
        "experiment": KEY,
        "timestamp": (entered(unit) + timedelta(minutes=minutes)).isoformat(),
        **fields,
    }


def events() -> list[dict[str, Any]]:
    found = []
    for unit in range(UNITS):
        found.append(event(unit, "page_view", 1, app_version="5.2.0" if unit % 4 == 3 else "5.1.0"))
        if buys(unit):
            found.append(event(unit, "purchase", 5, value=str(amount(unit))))
        if unit % 4 < 2:
            found.append(event(unit, "page_view", 1500, app_version="5.2.0"))
    return found
