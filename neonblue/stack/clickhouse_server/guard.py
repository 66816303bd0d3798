"""What the read-only user may not even try.

The engine's own ``readonly = 1`` refuses writes and most table functions when they run, but it lets pass what
reads a file in an expression, sniffs a schema (DESCRIBE of a file or an address), or cancels others' queries.
What is checked is the engine's own formatting of the statement, and that is what runs: no comment, escape or
quotation mark can mean one thing here and another there.
"""

from __future__ import annotations

import re

from neonblue.stack.clickhouse_server.errors import READONLY, SYNTAX_ERROR, ClickHouseError
from neonblue.stack.clickhouse_server.lexer import Kind, Token
from neonblue.stack.clickhouse_server.statement import Statement

_VERBS = frozenset(
    {"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "USE", "SET", ""}
)
# Table functions that read tables or make rows; every other one the engine has is refused.
HARMLESS_TABLE_FUNCTIONS = frozenset(
    [
        "numbers",
        "numbers_mt",
        "zeros",
        "zeros_mt",
        "generateseries",
        "generate_series",
        "values",
        "null",
        "merge",
        "view",
        "viewifpermitted",
        "viewexplain",
        "generaterandom",
        "mergetreeindex",
        "mergetreeprojection",
        "format",
    ]
)
_HARMFUL_FUNCTIONS = frozenset({"file", "catboostevaluate", "addresstoline", "addresstolinewithinlines"})
_FORMATTING = re.compile(
    r"(?: query)?: In scope SELECT base64Encode\(formatQuerySingleLine\(.*\)\)\.?", re.DOTALL
)
_BOUND_SETTINGS = frozenset({"readonly", "profile", "allow_ddl", "allow_introspection_functions"})


class Guard:
    """Refuses the read-only user's statements, given the names of the engine's table functions."""

    def __init__(self, table_functions: frozenset[str]) -> None:
        self._refused = (
            frozenset(name.lower() for name in table_functions) - HARMLESS_TABLE_FUNCTIONS
        ) | _HARMFUL_FUNCTIONS

    def check_verb(self, statement: Statement) -> None:
        """Raises ClickHouseError (READONLY) on a statement of another kind than reading."""
        if statement.verb not in _VERBS or statement.data is not None:
            raise _refusal(f"{statement.verb} is not for the read-only user")

    def unreadable(self, statement: Statement, error: ClickHouseError) -> ClickHouseError:
        """What to say of a statement that the engine could not format: `error`, without the query that asked for it.

        The engine takes a first word that it does not know for an expression, and complains of the second one.
        """
        first = statement.tokens[0] if statement.tokens else None
        if error.code != SYNTAX_ERROR or first is None or statement.verb in _VERBS:
            return error.without(_FORMATTING)
        word = statement.text[first.start : first.end].decode(errors="replace")
        message = f"Syntax error: failed at position {first.start + 1} ({word}): no statement begins so"
        return ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", message)

    def check(self, statement: Statement) -> None:
        """Raises ClickHouseError (READONLY) on a statement or function that does more than read tables."""
        self.check_verb(statement)
        tokens = statement.tokens
        if any(token.kind is Kind.QUOTED and "\\" in token.text for token in tokens):
            raise _refusal("an identifier holds no backslash")
        for number, token in enumerate(tokens):
            if token.kind in {Kind.WORD, Kind.QUOTED}:
                self._check_name(token, tokens[:number], tokens[number + 1 : number + 2])
        if statement.verb == "EXISTS" and any("/" in token.text or token.text == "{" for token in tokens):
            raise _refusal("a table's name holds no path")

    def _check_name(self, token: Token, before: tuple[Token, ...], after: tuple[Token, ...]) -> None:
        called = bool(after) and after[0].text == "("
        applied = any(previous.is_word("APPLY") for previous in before[-2:])
        if (called or applied) and token.text.lower() in self._refused:
            raise _refusal(f"the function {token.text.lower()} is not for the read-only user")


def check_settings(names: frozenset[str]) -> None:
    """Raises ClickHouseError (READONLY) if a request of the read-only user would widen its rights."""
    for name in sorted(names & _BOUND_SETTINGS):
        raise _refusal(f"Cannot modify '{name}' setting in readonly mode")


def _refusal(reason: str) -> ClickHouseError:
    return ClickHouseError(READONLY, "READONLY", f"Cannot execute query in readonly mode: {reason}")
