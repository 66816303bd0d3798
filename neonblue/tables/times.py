"""Times as people and programs write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from neonblue.tables.cells import BLANK, plain, shown
from neonblue.tables.errors import CellError

UNIX_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A bare number is Unix time only from here on: smaller ones are years, day numbers or counts."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
UNIX_LEEWAY = timedelta(days=1)
AHEAD = timedelta(minutes=5)
"""How far a time may lie ahead: what the API accepts."""

_SCALES = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_DAY = re.compile(
    r"(?P<year>\d{4})(?P<sign>[/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})(?=$|[T ])", re.ASCII
)
_MIXED = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b.*", re.ASCII)
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$|\s+(?=[+-]\d{2}:?(?:\d{2})?$)", re.IGNORECASE)
_EXCEL_ZERO = date(1899, 12, 30)
_EXCEL_DAYS = range(20_000, 80_000)
_YEARS = range(1900, 2200)


def moment(cell: str, now: datetime) -> datetime:
    """The time in UTC: of ISO 8601 (UTC where no zone is given), or of Unix seconds, milli-, micro- or nanoseconds.

    Raises CellError for anything else, for what lies ahead of `now`, and for a number that is no time of an experiment.
    """
    text = plain(cell)
    if text.lower() in BLANK:
        raise CellError("no time (the cell is blank)" if not text else f"no time ({shown(cell)})")
    found = _unix(text, now) if len(text) <= 40 and _NUMBER.fullmatch(text) else _written(text)
    if found < EARLIEST:
        raise CellError(f"{shown(cell)} lies before 1970")
    if found > now + AHEAD:
        raise CellError(f"{shown(cell)} lies ahead: it is {now:%Y-%m-%dT%H:%MZ}")
    return found


def _written(text: str) -> datetime:
    day = _DAY.match(text)
    iso = text
    if day is not None:
        iso = f"{day['year']}-{int(day['month']):02}-{int(day['day']):02}{text[day.end() :]}"
    elif _MIXED.fullmatch(text):
        raise CellError(
            f"{shown(text)}: which is the day, which the month? Write 2025-07-31 or 2025-07-31T12:00:00Z"
        )
    zone = _ZONE.search(iso)
    if zone is not None and len(iso) > len("2025-07-01"):
        rest = iso[zone.end() :]
        iso = iso[: zone.start()] + (rest or "+00:00" if ":" in iso else rest)
    try:
        found = datetime.fromisoformat(iso)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CellError(f"{shown(text)} is not a time such as 2025-07-01T12:00:00Z") from None


def _unix(text: str, now: datetime) -> datetime:
    whole = text.partition(".")[0]
    if len(text) == len("20250701") and text.isdigit() and (day := _compact(text)) is not None:
        return day
    if "e" not in text.lower() and len(whole) <= len("1751371200000000000"):
        for scale in _SCALES.values():
            seconds, rest = divmod(int(whole), scale)
            if UNIX_EARLIEST.timestamp() <= seconds <= (now + UNIX_LEEWAY).timestamp():
                fraction = rest / scale + (float(f"0{text[len(whole) :]}") / scale if "." in text[:-1] else 0)
                return datetime.fromtimestamp(seconds, UTC) + timedelta(
                    microseconds=int(fraction * 1_000_000 + 0.5)
                )
    raise CellError(f"{shown(text)} is no time{_looks_like(text)}; write 2025-07-01T12:00:00Z")


def _compact(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _looks_like(text: str) -> str:
    if "e" in text.lower():
        return ": it looks like a number that a spreadsheet has shortened"
    whole = int(text.partition(".")[0])
    if whole in _YEARS:
        return ": it looks like a year"
    if whole in _EXCEL_DAYS:
        day = _EXCEL_ZERO + timedelta(days=whole)
        return f": it looks like Excel's number of a day ({day.isoformat()})"
    return ": Unix times are read from 2000 until now, in seconds, milliseconds, microseconds or nanoseconds"
