"""What a statement, as the engine writes it, names: functions, settings, formats, tables.

Where a name's role can't be told from its place, the answer is the wider one: nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from neonblue.clickhouse_server.lexer import Kind, Token
from neonblue.clickhouse_server.statement import Statement

_NAMES = frozenset({Kind.WORD, Kind.QUOTED})
# Bare words that stand before a bracket without being called.
_KEYWORDS = frozenset({
    "ALL", "AND", "ANTI", "ANY", "ARRAY", "AS", "ASC", "ASOF", "AST", "BETWEEN", "BY", "CASE", "COLUMNS", "CREATE",
    "CROSS", "CUBE", "DESC", "DESCRIBE", "DISTINCT", "DIV", "ELSE", "END", "ESTIMATE", "EXCEPT", "EXISTS", "EXPLAIN",
    "FILL", "FILTER", "FINAL", "FIRST", "FOLLOWING", "FORMAT", "FROM", "FULL", "GLOBAL", "GROUP", "HAVING", "ILIKE",
    "IN", "INNER", "INTERPOLATE", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "LAST", "LEFT", "LIKE", "LIMIT",
    "MATERIALIZED", "MOD", "NOT", "NULLS", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION",
    "PASTE", "PIPELINE", "PLAN", "PRECEDING", "PREWHERE", "QUALIFY", "QUERY", "RANGE", "RECURSIVE", "REGEXP",
    "REPLACE", "RIGHT", "ROLLUP", "ROWS", "SAMPLE", "SELECT", "SEMI", "SETS", "SETTINGS", "STALENESS", "STEP",
    "STRICT", "SYNTAX", "TABLE", "THEN", "TIES", "TO", "TOP", "TOTALS", "TREE", "UNION", "USING", "WHEN",
    "WHERE", "WINDOW", "WITH",
})  # fmt: skip
_AFTER_SETTINGS = ("UNION", "EXCEPT", "INTERSECT", "FORMAT", "SETTINGS", "SELECT")
# What WITH begins behind a column's name, such as parallel.
_AFTER_WITH = ("TOTALS", "ROLLUP", "CUBE", "TIES", "FILL")
_BEFORE_TABLE = ("FROM", "JOIN", "TABLE")
_PATH_STARTS = ("/", ".", "~")
_PATH_MARKS = frozenset("/*?{}:")


class Clauses:
    """The parts of one statement; each method reads its tokens once."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._tokens = statement.tokens

    def joins_statements(self) -> bool:
        """Whether another statement, of any kind, follows behind PARALLEL WITH."""
        return any(
            first.is_word("PARALLEL") and second.is_word("WITH") and not third.is_word(*_AFTER_WITH)
            for first, second, third in zip(self._tokens, self._tokens[1:], self._tokens[2:], strict=False)
        )

    def quoted(self) -> Iterator[Token]:
        return (token for token in self._tokens if token.kind is Kind.QUOTED)

    def called(self) -> Iterator[Token]:
        """Every function and table function, also those that APPLY names. A parameter's type calls nothing."""
        in_parameter = False
        for number, token in enumerate(self._tokens):
            if token.kind not in _NAMES:
                begins = token.text == "{" and self._text(number + 2) == ":"
                in_parameter = begins or (in_parameter and token.text != "}")
                continue
            if in_parameter:
                continue
            bracketed = self._text(number + 1) == "(" and not self._is_column_list(number)
            applied = self._is_applied(number) and not self._is_lambda(number)
            if (bracketed or applied) and not self._is_keyword(token):
                yield token

    def settings(self) -> Iterator[tuple[str, str]]:
        """Each setting of each SETTINGS clause, with the text of its value's first token; one may come twice."""
        for number, token in enumerate(self._tokens):
            if token.is_word("SETTINGS"):
                yield from self._settings_from(number + 1)

    def formats(self) -> Iterator[str]:
        """What follows each FORMAT: a format, or something else where the word is a column's name."""
        for token, following in pairwise(self._tokens):
            if token.is_word("FORMAT") and following.kind in _NAMES:
                yield following.text

    def first_texts(self, functions: frozenset[str]) -> Iterator[str]:
        """The literal that is the first argument wherever one of these is called.

        "" where it is anything else, and where it is a table that is called so.
        """
        for number, token in enumerate(self._tokens):
            if token.kind not in _NAMES or token.text.lower() not in functions:
                continue
            called = self._text(number + 1) == "("
            if called or self._is_applied(number):
                plain = called and not self._is_table(number) and self._text(number + 3) in {",", ")"}
                yield self._literal(number + 2) if plain else ""

    def system_tables(self) -> Iterator[str]:
        """Every ``system.NAME`` in lower case; "{" for one that a parameter names."""
        for number, token in enumerate(self._tokens):
            if token.kind not in _NAMES:
                continue
            lower = token.text.lower()
            if lower == "system" and self._text(number + 1) == "." and self._text(number - 1) != ".":
                yield self._text(number + 2).lower()
            elif lower.startswith("system."):
                yield lower.removeprefix("system.")

    def names_a_path(self) -> bool:
        """Whether a name could be that of a file: the engine takes such a table for the file itself."""
        if self._statement.verb == "EXISTS" and any(_PATH_MARKS & set(token.text) for token in self._tokens):
            return True
        return any(
            token.text.startswith(_PATH_STARTS)
            or "../" in token.text
            or "://" in token.text
            or (_PATH_MARKS & set(token.text) and self._is_table(number))
            for number, token in enumerate(self._tokens)
            if token.kind is Kind.QUOTED
        )

    def identifier_parameters(self) -> frozenset[str]:
        """The names of the parameters ``{name:Identifier}``."""
        found = set()
        for number, token in enumerate(self._tokens):
            if (
                token.text == "{"
                and self._text(number + 2) == ":"
                and self._text(number + 3).lower() == "identifier"
            ):
                found.add(self._written(self._tokens[number + 1]))
        return frozenset(found)

    def _written(self, name: Token) -> str:
        """A name in the case that the statement has."""
        raw = self._statement.text[name.start : name.end].decode("utf-8", "replace")
        return name.text if name.kind is Kind.QUOTED else raw

    def _text(self, number: int) -> str:
        return self._tokens[number].text if 0 <= number < len(self._tokens) else ""

    def _literal(self, number: int) -> str:
        """What stands between the marks of a text, escapes as they are."""
        token = self._tokens[number]
        return token.text[1:-1] if token.kind is Kind.TEXT else ""

    def _is_keyword(self, token: Token) -> bool:
        return token.kind is Kind.WORD and token.text in _KEYWORDS

    def _is_applied(self, number: int) -> bool:
        before = self._tokens[max(0, number - 2) : number]
        return bool(before) and (
            before[-1].is_word("APPLY") or (before[-1].text == "(" and before[0].is_word("APPLY"))
        )

    def _is_lambda(self, number: int) -> bool:
        return self._text(number + 1) + self._text(number + 2) == "->"

    def _is_column_list(self, number: int) -> bool:
        """Whether the bracket after a name holds its columns: ``AS x (a, b)``, ``WITH x (a, b) AS (``."""
        at, expected = number + 2, True
        while at < len(self._tokens) and (self._tokens[at].kind in _NAMES) is expected:
            if not expected and self._tokens[at].text != ",":
                break
            at, expected = at + 1, not expected
        if expected or self._text(at) != ")":
            return False
        named = number > 0 and self._tokens[number - 1].is_word("AS")
        return named or (self._text(at + 1) == "AS" and self._text(at + 2) == "(")

    def _is_table(self, number: int) -> bool:
        first = number - 2 if self._text(number - 1) == "." else number
        return first > 0 and self._tokens[first - 1].is_word(*_BEFORE_TABLE)

    def _settings_from(self, at: int) -> Iterator[tuple[str, str]]:
        """``name = value, name = value``; a value may have brackets."""
        depth, begins = 0, True
        while at < len(self._tokens):
            token = self._tokens[at]
            if begins:
                if token.kind not in _NAMES or self._text(at + 1) != "=":
                    return
                yield self._written(token), self._text(at + 2).strip("'")
            depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
            if depth < 0 or (depth == 0 and token.is_word(*_AFTER_SETTINGS)):
                return
            begins = depth == 0 and token.text == ","
            at += 1
