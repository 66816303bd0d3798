"""The services' log lines in the order of time. Each service writes the time as its program does."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone

_ISO = (
    r"(?P<time>(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6})\d*)?"
    r"(?: ?(?:Z|UTC|([+-])(\d\d):?(\d\d)))?)"
)
# In JSON the time stands anywhere in the line; elsewhere near its beginning.
_IN_JSON = re.compile(rf'"timestamp": ?"{_ISO}')
_AT_START = re.compile(rf"^.{{0,40}}?{_ISO}")
_NAME = "timestamp="
"""Before the time in lines of the supervisor that are older than the form of today."""
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_VALKEYS = re.compile(rf"^\d+:\w (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d)\.(\d{{3}})")


def time_of(line: str) -> datetime | None:
    """When the line says it was written, in UTC; None where it does not say."""
    return parted(line)[0]


def parted(line: str) -> tuple[datetime | None, str]:
    """When the line says it was written, in UTC, and the line without that; None, and the whole line, else."""
    try:
        if found := _IN_JSON.search(line) or _AT_START.match(line):
            start, end = found.span("time")
            before = "" if line[:start] == _NAME else line[:start]
            rest = line if before.endswith("=") else before + line[end:].lstrip()
            return _iso(*found.groups()[1:]), rest
        if found := _VALKEYS.match(line):
            day, month, year, hour, minute, second, thousandths = found.groups()
            place = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
            moment = datetime(*place, int(thousandths) * 1000, tzinfo=UTC)
            return moment, line[: found.start(1)] + line[found.end() :].lstrip()
    except ValueError:  # digits that are no time
        return None, line
    return None, line


def _iso(*parts: str | None) -> datetime:
    *whole, fraction, sign, hours, minutes = parts
    year, month, day, hour, minute, second = (int(part or 0) for part in whole)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    microsecond = int((fraction or "0").ljust(6, "0"))
    local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=timezone(offset))
    return local.astimezone(UTC)


def merged(
    lines: Mapping[str, Iterable[str]], otherwise: Mapping[str, datetime]
) -> Iterator[tuple[str, str]]:
    """Lines by their log's name, in the order of time: pairs of name and line.

    A line without a time follows the one before it in its log; those before the first time of a log precede it, and a
    log without any time has that of `otherwise`. The lines of one log keep their order.
    """
    timed = [_timed(name, list(logged), otherwise[name]) for name, logged in lines.items()]
    for _, name, line in heapq.merge(*timed, key=lambda one: one[0]):
        yield name, line


def _timed(name: str, lines: list[str], otherwise: datetime) -> Iterator[tuple[datetime, str, str]]:
    now = next((moment for line in lines if (moment := time_of(line)) is not None), otherwise)
    for line in lines:
        now = max(now, time_of(line) or now)
        yield now, name, line
