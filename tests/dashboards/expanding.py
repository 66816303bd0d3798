"""Queries with Grafana's variables and macros replaced, as Grafana and its ClickHouse plugin (4.14) replace them.

What a dashboard here uses is known, nothing else: a query with another macro or variable raises ``ValueError``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

SCRAPE_SECONDS = 10
"""As often as Prometheus asks: `timeInterval` of the provisioned data source."""
_LEFT = re.compile(r"\$__\w+|\$\{?[A-Za-z]\w*")
_VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
_MACRO = re.compile(r"\$__(\w+)\(([^()]*)\)")
_ROUND = (
    *((1.5, 1), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300)),
    *((750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800)),
    *((32400, 21600), (86400, 43200), (604800, 86400)),
)
"""Grafana rounds an interval below the first number of seconds to the second."""


@dataclass(frozen=True, slots=True)
class View:
    """What a dashboard looks at: from when to when, so many points wide, with these values chosen."""

    start: datetime
    end: datetime
    points: int = 600
    chosen: Mapping[str, str] | None = None

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    def interval(self, least: float) -> float:
        """Seconds from one point to the next, as round as Grafana makes them."""
        exact = self.seconds / self.points
        rounded = next((to for below, to in _ROUND if exact < below), 604_800)
        return max(rounded, least)


def promql(text: str, view: View) -> str:
    """The expression as Prometheus gets it."""
    interval = view.interval(SCRAPE_SECONDS)
    rate = max(interval + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)
    expanded = text.replace("$__rate_interval", f"{rate:.0f}s").replace("$__interval", f"{interval:.0f}s")
    return _whole(expanded)


def sql(text: str, view: View) -> str:
    """The query as ClickHouse gets it."""

    def macro(found: re.Match[str]) -> str:
        if found[1] not in _MACROS:
            raise ValueError(f"unknown macro: {found[0]}")
        return _MACROS[found[1]](found[2], view)

    return _whole(_MACRO.sub(macro, with_chosen(text, view)))


def with_chosen(text: str, view: View) -> str:
    """The query as the plugin gets it: Grafana's page puts in what is chosen, the plugin's server does the rest."""
    chosen = view.chosen or {}

    def value(found: re.Match[str]) -> str:
        quoted = chosen[found[1]].replace("'", "''")
        return f"'{quoted}'"

    return _VARIABLE.sub(value, text)


def _time_filter(column: str, view: View) -> str:
    return f"{column} >= {_moment(view.start)} AND {column} <= {_moment(view.end)}"


def _date_filter(column: str, view: View) -> str:
    first, last = (f"toDate('{at.astimezone(UTC):%Y-%m-%d}')" for at in (view.start, view.end))
    return f"{column} >= {first} AND {column} <= {last}"


def _time_interval(column: str, view: View) -> str:
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {int(view.interval(1))} second)"


_MACROS: Mapping[str, Callable[[str, View], str]] = {
    "dateFilter": _date_filter,
    "timeFilter": _time_filter,
    "timeInterval": _time_interval,
}


def _moment(at: datetime) -> str:
    return f"toDateTime({int(at.astimezone(UTC).timestamp())})"


def _whole(text: str) -> str:
    left = _LEFT.search(text.replace("${1}", ""))
    if left is not None:
        raise ValueError(f"not expanded: {left[0]}")
    return text
