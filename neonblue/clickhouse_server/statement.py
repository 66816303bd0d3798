"""What the server has to know about a statement before it runs, and the two rewritings it needs.

The engine hands over a result, or takes an insert's data, through a file (``INTO OUTFILE``, ``FROM INFILE``).
Given a pipe's end as that file, it streams in every format, within the pipe's capacity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from neonblue.clickhouse_server.errors import NOT_IMPLEMENTED, SYNTAX_ERROR, ClickHouseError
from neonblue.clickhouse_server.lexer import Kind, Token, tokens

_SELECTING = frozenset({"SELECT", "WITH", "FROM"})
_READING = _SELECTING | {"SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "USE", "SET", "VALUES", "CHECK"}
# Before a FORMAT clause stands a finished expression: after one of these, "format" is a name.
_UNFINISHED = frozenset(
    [
        "SELECT",
        "DISTINCT",
        "BY",
        "WHERE",
        "PREWHERE",
        "HAVING",
        "QUALIFY",
        "AND",
        "OR",
        "NOT",
        "ON",
        "AS",
        "IN",
        "LIKE",
        "ILIKE",
        "FROM",
        "JOIN",
        "BETWEEN",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "INTERVAL",
        "USING",
        "WITH",
        "LIMIT",
        "OFFSET",
    ]
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: its text, its first word, and where its parts lie.

    `output` is the FORMAT clause of a reading statement, `data` the FORMAT or VALUES of an INSERT whose data
    follows (or None), `end` the end of the last token.
    """

    text: bytes
    verb: str
    tokens: tuple[Token, ...]
    output: Token | None
    data: Token | None
    end: int

    @property
    def reads(self) -> bool:
        return self.verb in _READING

    @property
    def selects(self) -> bool:
        """Whether it is a SELECT, whose result may be of any size."""
        return self.verb in _SELECTING and not any(token.is_word("INSERT") for token in self.tokens)

    @property
    def changes_connection(self) -> bool:
        """Whether its effect lasts as long as the connection: SET, USE, temporary tables."""
        if self.verb in {"CREATE", "REPLACE", "ATTACH"}:
            return any(token.is_word("TEMPORARY", "TEMP") for token in self.tokens[:5])
        return self.verb in {"SET", "USE", "BEGIN"}

    @property
    def format(self) -> str | None:
        """The format that it names, of its result or of its data."""
        clause = self.data or self.output
        if clause is None:
            return None
        if clause.text == "VALUES":
            return "Values"
        name = self.tokens[self.tokens.index(clause) + 1]
        return name.text if name.kind is Kind.QUOTED else self.text[name.start : name.end].decode()

    @property
    def data_start(self) -> int:
        """Where an INSERT's data starts in `text`: after its format, spaces, and one end of line."""
        at = self.end
        while self.text[at : at + 1] in {b" ", b"\t", b"\f"}:
            at += 1
        if self.text[at : at + 2] == b"\r\n":
            return at + 2
        return at + 1 if self.text[at : at + 1] == b"\n" else at

    def with_few_tokens(self) -> Statement:
        """The same reading statement with those tokens only that its properties look at: it may wait for long."""
        clause = self.tokens.index(self.output) if self.output is not None else len(self.tokens)
        return replace(self, tokens=(*self.tokens[: min(5, clause)], *self.tokens[clause : clause + 2]))

    def into_file(self, path: str) -> bytes:
        """This SELECT, with its result going to `path`."""
        at = self.output.start if self.output else self.end
        return (
            self.text[:at] + f" INTO OUTFILE '{path}' APPEND ".encode() + self.text[at:].rstrip(b"; \t\r\n")
        )

    def from_file(self, path: str) -> bytes:
        """This INSERT, with its data coming from `path`."""
        if self.data is None:
            raise ValueError("the statement takes no data")
        source = self._input_function()
        if source is not None:
            opening = self.text[: source.start] + f"file('{path}', '{self.format}', ".encode()
            return opening + self.text[self._after(source).end : self.data.start]
        place = next((token for token in self.tokens if token.is_word("SETTINGS")), self.data)
        middle = self.text[place.start : self.data.start]
        return (
            self.text[: place.start]
            + f" FROM INFILE '{path}' ".encode()
            + middle
            + f" FORMAT {self.format}".encode()
        )

    def _input_function(self) -> Token | None:
        return next((token for token, after in pairwise(self.tokens) if _opens_input(token, after)), None)

    def _after(self, token: Token) -> Token:
        return self.tokens[self.tokens.index(token) + 1]


def read(text: bytes, limit: int) -> Statement:
    """The statement at the start of `text`; its tokens must lie within `limit` bytes.

    Raises ClickHouseError on several statements, on an unfinished literal, and on files named by the client.
    """
    found: list[Token] = []
    data, selects, takes_input = None, False, False
    for token in tokens(text, limit):
        if not found and len(text) > limit and not token.is_word("INSERT"):
            raise _too_large(limit)
        if found and found[0].is_word("INSERT"):
            before = found[-1]
            takes_input = takes_input or _opens_input(before, token)
            if before.is_word("FORMAT") and token.kind in {Kind.WORD, Kind.QUOTED}:
                data = before if takes_input or not selects else None
            elif token.is_word("VALUES") and not before.is_word("INTO", "TABLE") and not selects:
                data = token
            selects = selects or token.is_word("SELECT")
            if data is not None:
                found.append(token)
                break
        found.append(token)
    while data is None and found and found[-1].text == ";" and found[-1].kind is Kind.SIGN:
        found.pop()
    if data is None:
        _require_complete(found, text, limit)
    _require_one(found)
    return Statement(
        text,
        _verb(found),
        tuple(found),
        None if data else _format_clause(found),
        data,
        found[-1].end if found else 0,
    )


def _opens_input(token: Token, following: Token) -> bool:
    """Whether the table function ``input`` begins here, which stands for an INSERT's data."""
    return token.kind in {Kind.WORD, Kind.QUOTED} and token.text.upper() == "INPUT" and following.text == "("


def _require_complete(found: list[Token], text: bytes, limit: int) -> None:
    if len(text) > limit:
        raise _too_large(limit)
    if any(token.kind is Kind.BROKEN for token in found):
        message = "Syntax error: a quotation mark or comment is not closed"
        raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", message)


def _too_large(limit: int) -> ClickHouseError:
    return ClickHouseError(
        SYNTAX_ERROR, "SYNTAX_ERROR", f"Syntax error: Max query size exceeded ({limit} bytes)"
    )


def _require_one(found: list[Token]) -> None:
    if any(token.text == ";" and token.kind is Kind.SIGN for token in found):
        message = "Syntax error (Multi-statements are not allowed)"
        raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", message)
    if any(
        before.is_word("INTO", "FROM") and token.is_word("OUTFILE", "INFILE")
        for before, token in pairwise(found)
    ):
        message = "INTO OUTFILE and FROM INFILE are not available over HTTP: use the response and the body"
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)


def _verb(found: list[Token]) -> str:
    first = next((token for token in found if token.text != "("), None)
    return first.text if first is not None and first.kind is Kind.WORD else ""


def _format_clause(found: list[Token]) -> Token | None:
    """The FORMAT of a FORMAT clause: outside brackets, after an expression, at the end or before SETTINGS."""
    depth = 0
    clause = None
    for number, token in enumerate(found):
        if token.kind is Kind.SIGN:
            depth += (token.text in "([{") - (token.text in ")]}")
        elif depth == 0 and token.is_word("FORMAT") and _is_clause(found, number):
            clause = token
    return clause


def _is_column(found: list[Token], number: int) -> bool:
    """Whether TABLE is a column's name, as in ``system.parts``, and not the word before a table's."""
    return _verb(found) in _SELECTING and not (number and found[number - 1].is_word("INTO"))


def _is_clause(found: list[Token], number: int) -> bool:
    before, after = found[number - 1] if number else None, found[number + 1 : number + 3]
    if before is None or not after or after[0].kind not in {Kind.WORD, Kind.QUOTED}:
        return False
    if (before.kind is Kind.WORD and before.text in _UNFINISHED) or after[0].is_word("DESC", "ASC"):
        return False
    if before.is_word("TABLE") and not _is_column(found, number - 1):
        return False
    if before.kind is Kind.SIGN and before.text not in ")]}*":
        return False
    return len(after) == 1 or after[1].is_word("SETTINGS")
