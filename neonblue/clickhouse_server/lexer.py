"""The tokens of a ClickHouse statement: enough to route it and to guard it, not to parse it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise


class Kind(Enum):
    WORD = auto()
    QUOTED = auto()
    TEXT = auto()
    NUMBER = auto()
    SIGN = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is upper case for a bare word; a quoted identifier keeps its escapes."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and self.text in words


# Quotation marks: ClickHouse takes typographic ones, too (U+2018/9 for strings, U+201C/D for identifiers). One that is
# not closed ends the reading: to go on behind it would be to look for its end again from every later mark.
_TOKEN = re.compile(
    rb"""
      (?P<space>   [\s\x00]+ | (?: -- | // | \#[!\ ] ) [^\n]* )
    | (?P<comment> /\* )
    | (?P<heredoc> \$ )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_$]* )
    | (?P<number>  [0-9][A-Za-z0-9_.]* )
    | (?P<quoted>  `(?:[^`\\]++|\\.|``)*+` | "(?:[^"\\]++|\\.|"")*+" | \xe2\x80\x9c.*?\xe2\x80\x9d )
    | (?P<string>  '(?:[^'\\]++|\\.|'')*+' | \xe2\x80\x98.*?\xe2\x80\x99 )
    | (?P<broken>  [`"'] | \xe2\x80[\x98\x99\x9c\x9d] )
    | (?P<sign>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(rb"/\*|\*/")
_KINDS = {
    "word": Kind.WORD,
    "quoted": Kind.QUOTED,
    "string": Kind.TEXT,
    "number": Kind.NUMBER,
    "sign": Kind.SIGN,
}


def tokens(query: bytes, limit: int) -> Iterator[Token]:
    """The tokens of the first `limit` bytes, without spaces and comments, as far as they are asked for."""
    at, end = 0, min(len(query), limit)
    heredocs = _Heredocs(query, end)
    while at < end:
        match = _TOKEN.match(query, at, end)
        if match is None:
            return
        start, at = match.span()
        group = match.lastgroup or "sign"
        if group == "broken":
            yield Token(Kind.BROKEN, _text(Kind.BROKEN, match.group()), start, end)
            return
        if group == "heredoc":
            at = heredocs.end(start)
            kind = Kind.TEXT if at > start + 1 else Kind.SIGN
            yield Token(kind, _text(kind, query[start:at]), start, at)
        elif group == "comment":
            at = _comment_end(query, start, end)
            if at < 0:
                yield Token(Kind.BROKEN, "/*", start, end)
                return
        elif group != "space":
            kind = _KINDS[group]
            yield Token(kind, _text(kind, match.group()), start, at)


class _Heredocs:
    """Where the texts between ``$tag$`` and ``$tag$`` end: every ``$`` is looked at once, whatever opens with it."""

    def __init__(self, query: bytes, end: int) -> None:
        self._query = query
        self._end = end
        self._marks: list[int] | None = None
        self._tags: dict[bytes, list[int]] = {}

    def end(self, start: int) -> int:
        """The end of the heredoc that the ``$`` at `start` opens, or the byte after it if it opens none."""
        marks = self._found()
        number = bisect_left(marks, start)
        if number + 1 >= len(marks):
            return start + 1
        tag = self._query[start + 1 : marks[number + 1]]
        places = self._tags[tag]
        following = bisect_left(places, number + 2)
        if following == len(places):
            return start + 1
        return marks[places[following]] + len(tag) + 2

    def _found(self) -> list[int]:
        if self._marks is None:
            self._marks = [match.start() for match in re.finditer(rb"\$", self._query[: self._end])]
            for number, (mark, following) in enumerate(pairwise(self._marks)):
                self._tags.setdefault(self._query[mark + 1 : following], []).append(number)
        return self._marks


def _comment_end(query: bytes, start: int, end: int) -> int:
    """Where the comment that starts at `start` ends, -1 if it doesn't; comments hold comments, as in standard SQL."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(query, start, end):
        depth += 1 if mark.group() == b"/*" else -1
        if depth == 0:
            return mark.end()
    return -1


def _text(kind: Kind, raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if kind is Kind.WORD:
        return text.upper()
    if kind is Kind.QUOTED:
        return text[1:-1]
    return text
