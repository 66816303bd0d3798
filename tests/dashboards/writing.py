"""Numbers as Grafana writes them, of the units that the dashboards use."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_SECONDS = ((1e-3, 1e-6, "µs"), (1, 1e-3, "ms"), (60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"))
_RATES = {"eps": " evt/s", "reqps": " req/s", "ops": " ops/s", "mps": " msg/s", "rowsps": " rows/s"}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """The number with its unit; what is no number is called so."""
    if not math.isfinite(value):
        return "no number"
    match unit:
        case "s":
            return _seconds(value)
        case "bytes" | "binBps":
            return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB")) + (
                "/s" if unit == "binBps" else ""
            )
        case "percentunit":
            return f"{value * 100:.{1 if decimals is None else decimals}f} %"
        case "dateTimeFromNow":
            return f"{_seconds(datetime.now(UTC).timestamp() - value / 1000)} ago"
        case "none" if float(value).is_integer():
            return f"{value:.0f}"
        case _ if unit.startswith("suffix:"):
            return f"{value:.3g}{unit.removeprefix('suffix:')}"
    return _scaled(value, 1000, ("", "K", "Mil", "Bil")) + _RATES.get(unit, "")


def _seconds(value: float) -> str:
    for below, size, name in _SECONDS:
        if abs(value) < below:
            return f"{value / size:.3g} {name}"
    return f"{value / 86400:.3g} d"


def _scaled(value: float, base: int, names: tuple[str, ...]) -> str:
    step = 0
    while abs(value) >= base and step < len(names) - 1:
        value, step = value / base, step + 1
    return f"{value:.3g} {names[step]}".rstrip()
