"""Durations as ISO 8601 writes them: weeks, days, hours, minutes and seconds. Months and years have no length."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?",
    re.ASCII,
)
_SECONDS_OF_AN_HOUR = 3_600
_SECONDS_OF_A_MINUTE = 60


def read_duration(text: str) -> timedelta:
    """The duration that `P1D`, `PT36H` or `P1W` says. Raises ValueError."""
    found = _FORM.fullmatch(text)
    parts = {} if found is None else {name: int(part) for name, part in found.groupdict().items() if part}
    if not parts:
        raise ValueError("must be a duration such as P1D, PT12H or P1W, without months and years")
    return timedelta(**parts)


def format_duration(duration: timedelta) -> str:
    """The one text that the project writes for it, in whole seconds: days, then hours, minutes and seconds."""
    hours, rest = divmod(duration.seconds, _SECONDS_OF_AN_HOUR)
    minutes, seconds = divmod(rest, _SECONDS_OF_A_MINUTE)
    days = f"{duration.days}D" if duration.days else ""
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    if not days and not time:
        return "PT0S"
    return f"P{days}{f'T{time}' if time else ''}"
