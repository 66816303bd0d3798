"""Names and times as people read them, on a page and on a terminal. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji
_TOKEN = re.compile(r"token:(\d+):(.+)", re.DOTALL)


def instant(moment: datetime) -> str:
    """A time in UTC to the minute: `2026-03-01 09:30Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def plain(value: object) -> str:
    """A value as one line of visible characters: what would steer a terminal or reorder a line is shown by its
    number; empty of None."""
    return "".join(map(_visible, " ".join(("" if value is None else str(value)).split())))


def person(name: str | None) -> str:
    """Who did something, from the audit's name for it: `token:1:bootstrap` is the token "bootstrap"."""
    token = _TOKEN.fullmatch(name or "")
    return f"{plain(token[2])} (token {token[1]})" if token else plain(name)


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in _HIDDEN and character not in _JOINERS
    return f"\\u{ord(character):04x}" if hidden else character
