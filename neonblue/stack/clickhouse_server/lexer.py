"""The tokens of a ClickHouse statement: enough to route it and to guard it, not to parse it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


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


# Quotation marks: ClickHouse takes typographic ones, too (U+2018/9 for strings, U+201C/D for identifiers).
_TOKEN = re.compile(
    rb"""
      (?P<space>   [\s\x00]+ | (?: -- | // | \#[!\ ] ) [^\n]* )
    | (?P<comment> /\* )
    | (?P<heredoc> \$(?P<tag>[^$]*)\$.*?\$(?P=tag)\$ )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_$]* )
    | (?P<number>  [0-9][A-Za-z0-9_.]* )
    | (?P<quoted>  `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" | \xe2\x80\x9c.*?\xe2\x80\x9d )
    | (?P<string>  '(?:[^'\\]|\\.|'')*' | \xe2\x80\x98.*?\xe2\x80\x99 )
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
    "heredoc": Kind.TEXT,
    "number": Kind.NUMBER,
    "sign": Kind.SIGN,
    "broken": Kind.BROKEN,
}


def tokens(query: bytes, limit: int) -> Iterator[Token]:
    """The tokens of the first `limit` bytes, without spaces and comments, as far as they are asked for."""
    at, end = 0, min(len(query), limit)
    while at < end:
        match = _TOKEN.match(query, at, end)
        if match is None:
            return
        start, at = match.span()
        group = "heredoc" if match.lastgroup == "tag" else match.lastgroup or "sign"
        if group == "comment":
            at = _comment_end(query, start, end)
            if at < 0:
                yield Token(Kind.BROKEN, "/*", start, end)
                return
        elif group != "space":
            kind = _KINDS[group]
            yield Token(kind, _text(kind, match.group()), start, at)


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
