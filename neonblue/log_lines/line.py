"""A line as it is read again, and as people see it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RESERVED = ("timestamp", "level", "event", "service")
"""What every line has, in this order; no event's field is called so."""
SERIOUS = frozenset({"warning", "error", "critical"})
_PLAIN = re.compile(r"[^\s\"'=\\]+").fullmatch
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME = re.compile(r"[0-9TZ:.+-]*", re.ASCII).fullmatch
_LEVEL, _SERVICE = 8, 15
_LONGEST, _PART, _NAME = 256 * 1024, 4096, 100
"""Characters of a line, and of each value and name of one that would be longer."""
_DIM, _RED, _YELLOW, _BOLD, _END = "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_COLOURS = {"warning": _YELLOW, "error": _RED, "critical": _RED}


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `timestamp`: in UTC as ISO 8601 writes it; `fields`: the event's own, in their order."""

    timestamp: str
    level: str
    event: str
    service: str
    fields: Mapping[str, Any]

    @property
    def serious(self) -> bool:
        """Whether somebody should look at it."""
        return self.level in SERIOUS

    def about(self, node: str) -> bool:
        """Whether the supervisor tells of this service or step."""
        return self.fields.get("node") == node

    def readable(self, *, named: bool = True, coloured: bool = False) -> str:
        """Time, level, service (where `named`), event, fields; a trace below. No character of it steers a terminal."""
        colour = _COLOURS.get(self.level, "")
        words = [
            paint(_short(self.timestamp), _DIM if coloured else ""),
            paint(f"{one(self.level):{_LEVEL}}", colour if coloured else ""),
        ]
        if named:
            words.append(f"{one(self.service):{_SERVICE}}")
        words.append(paint(one(self.event), _BOLD if coloured else ""))
        below: list[str] = []
        for name, value in self.fields.items():
            if isinstance(value, str) and "\n" in value:
                below.extend(f"    {shown(part)}" for part in value.splitlines())
            elif self.event == "message" and name == "message":
                words.append(shown(str(value)))
            else:
                words.append(f"{one(name)}={one(value)}")
        return "\n".join([" ".join(words), *below])


def written(event: Mapping[str, Any]) -> str:
    """The event as a line. Whatever its values are, it is one line of valid JSON, of bounded length; never raises."""
    try:
        text = json.dumps(event, default=_told, allow_nan=False)
    except Exception:  # in itself, too deep, no number, or a name that is no text
        text = json.dumps({str(name)[:_NAME]: _plain(value) for name, value in event.items()})
    if len(text) <= _LONGEST:
        return text
    return json.dumps({str(name)[:_NAME]: _cut(value) for name, value in event.items()})


def _told(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"a {type(value).__qualname__} that can't be told"


def _plain(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False)
    except Exception:
        return _told(value)
    return value


def _cut(value: object) -> object:
    whole = value if isinstance(value, str) else _told(value)
    return value if len(whole) <= _PART else f"{whole[:_PART]}… ({len(whole)} characters)"


def read(text: str) -> Line | None:
    """The line that `text` is; None where it is no line of ours, such as one of another program."""
    if not text.startswith("{"):
        return None
    try:
        given = json.loads(text)
        timestamp, level, event, service = head = [given.pop(name) for name in RESERVED]
    except (ValueError, KeyError, RecursionError):
        return None
    if not all(isinstance(part, str) for part in head):
        return None
    return Line(timestamp, level, event, service, given)


def uncoloured(text: str) -> str:
    """A text without what colours it, and with all else that steers a terminal made visible."""
    return shown(_COLOUR.sub("", text))


def foreign(text: str, service: str, timestamp: str | None) -> str:
    """Another program's line as JSON, for whoever reads all logs as such: the event ``message``."""
    known = {} if timestamp is None else {"timestamp": timestamp}
    return json.dumps(known | {"event": "message", "service": service, "message": text})


def foreign_readable(text: str, service: str, timestamp: str | None, *, coloured: bool = False) -> str:
    """Another program's line, without its time, in the columns of ours. It has a level in its own words, or none."""
    time = paint(f"{_short(timestamp or ''):24}", _DIM if coloured else "")
    return f"{time} {'':{_LEVEL}} {one(service):{_SERVICE}} {shown(text)}"


def one(value: object) -> str:
    """A value as one word."""
    if isinstance(value, str) and _PLAIN(value) and value.isprintable():
        return value
    written = json.dumps(value, ensure_ascii=False, default=repr)
    return written if written.isprintable() else json.dumps(value, default=repr)


def shown(text: str) -> str:
    """A text with what steers a terminal made visible. Tabs stay."""
    return "".join(_visible(text)) if not text.isprintable() else text


def _visible(text: str) -> Iterator[str]:
    for letter in text:
        yield letter if letter.isprintable() or letter == "\t" else letter.encode("unicode_escape").decode()


def paint(text: str, colour: str) -> str:
    """In the colour; "": as it is."""
    return f"{colour}{text}{_END}" if colour else text


def _short(timestamp: str) -> str:
    """To the millisecond."""
    return re.sub(r"(\.\d{3})\d+(?=Z$)", r"\1", timestamp) if _TIME(timestamp) else one(timestamp)
