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
    """One token; `text` is upper case for a bare word and unquoted for a quoted identifier."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and self.text in words


# Quotation marks: ClickHouse takes typographic ones, too (U+2018/9 for strings, U+201C/D for identifiers).
_TOKEN = re.compile(
    rb"""
      (?P<space>   [\s\x00\xa0]+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/ )
    | (?P<heredoc> \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_$]* )
    | (?P<number>  [0-9][A-Za-z0-9_.]* )
    | (?P<quoted>  `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" | \xe2\x80\x9c.*?\xe2\x80\x9d )
    | (?P<string>  '(?:[^'\\]|\\.|'')*' | \xe2\x80\x98.*?\xe2\x80\x99 )
    | (?P<broken>  [`"'] | /\* | \xe2\x80[\x98\x99\x9c\x9d] )
    | (?P<sign>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
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
    for match in _TOKEN.finditer(query, 0, min(len(query), limit)):
        group = match.lastgroup or "sign"
        if group == "tag":
            group = "heredoc"
        if group == "space":
            continue
        kind = _KINDS[group]
        yield Token(kind, _text(kind, match.group()), match.start(), match.end())


def _text(kind: Kind, raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if kind is Kind.WORD:
        return text.upper()
    if kind is Kind.QUOTED:
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text
