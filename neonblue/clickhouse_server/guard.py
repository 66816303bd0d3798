"""What the read-only user may do. Everything else is refused, whatever the engine would make of it.

The engine's own ``readonly = 1`` refuses writes and most table functions when they run, but it lets pass what
reads a file in an expression, sniffs a schema (DESCRIBE of a file or an address), or cancels others' queries.
What is checked is the engine's own formatting of the statement, and that is what runs: no comment, escape or
quotation mark can mean one thing here and another there. Names are looked up in `rights`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neonblue.clickhouse_server.clauses import Clauses
from neonblue.clickhouse_server.errors import (
    READONLY,
    SYNTAX_ERROR,
    UNKNOWN_FORMAT,
    UNKNOWN_FUNCTION,
    ClickHouseError,
)
from neonblue.clickhouse_server.lexer import Kind, Token
from neonblue.clickhouse_server.limits import QueryLimits, is_time_zone
from neonblue.clickhouse_server.rights import Rights
from neonblue.clickhouse_server.statement import Statement

_VERBS = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "USE", ""})
_SHOWN = frozenset(
    ["TABLES", "DATABASES", "COLUMNS", "FIELDS", "INDEXES", "FUNCTIONS", "ENGINES", "SETTINGS", "SETTING"]
)
_SHOW_CREATE = frozenset({"TABLE", "VIEW", "DATABASE"})
_SHOW_ADVERBS = frozenset({"FULL", "EXTENDED", "TEMPORARY", "CHANGED"})
_IDENTIFIER = re.compile(r"[^/\\*?{}:'\"`\x00-\x1f]+")
_TAKING_AGGREGATES = frozenset({"arrayreduce", "arrayreduceinranges", "initializeaggregation"})
_TAKING_FORMATS = frozenset({"formatrow", "formatrownonewline"})
_TAKING_PATTERNS = frozenset({"format"})
# Its parameters may be expressions, which the engine evaluates: 'groupConcat(file(…))'.
_AGGREGATE = re.compile(r"(\w+)(?:\([0-9., ]*\))?", re.ASCII)
_MOST_UNCLOSED = 100
_SYSTEM = "system"
_ASKED = "In scope SELECT base64Encode(formatQuerySingleLine("


@dataclass(frozen=True, slots=True)
class Passed:
    """A statement that may run, as the engine writes it, and its parameters of the type Identifier."""

    statement: Statement
    identifiers: frozenset[str]


class Guard:
    """Judges the read-only user's requests.

    `formats` and `functions` are those that the engine has: by them a refusal differs from a misspelling.
    """

    def __init__(
        self, rights: Rights, limits: QueryLimits, formats: Iterable[str], functions: Iterable[str]
    ) -> None:
        self._rights = rights
        self._limits = limits
        self._formats = frozenset(name.lower() for name in rights.formats)
        self._known_formats = frozenset(name.lower() for name in formats)
        self._known_functions = frozenset(name.lower() for name in functions)

    def check_settings(self, settings: Mapping[str, str]) -> None:
        """Raises ClickHouseError on a setting that is not the reader's, or is above its ceiling."""
        for name in sorted(settings.keys() - self._rights.settings):
            raise _refusal(f"Cannot modify '{name}' setting in readonly mode")
        self._limits.check(settings)
        zone = settings.get("session_timezone", "")
        if not is_time_zone(zone):
            raise _refusal(f"Setting session_timezone: '{zone}' is no time zone")

    def check_database(self, name: str) -> None:
        """Raises ClickHouseError if unqualified names would be those of system tables."""
        if name.lower() == _SYSTEM:
            raise _refusal("name the tables of system as system.TABLE")

    def check_format(self, name: str) -> None:
        """Raises ClickHouseError on an output format that is not the reader's."""
        if name.lower() in self._formats:
            return
        if name.lower() in self._known_formats:
            raise _refusal(f"the format {name} is not for the read-only user")
        raise ClickHouseError(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", f"Unknown format {name}")

    def check_verb(self, statement: Statement) -> None:
        """Raises ClickHouseError (READONLY) on a statement of another kind than reading."""
        if statement.verb not in _VERBS or statement.data is not None:
            raise _refusal(f"{statement.verb} is not for the read-only user")

    def check_unread(self, statement: Statement) -> None:
        """Raises ClickHouseError on what the engine need not read, or would read for too long.

        It looks for the end of each ``$tag$`` that is never closed through the whole text.
        """
        if statement.data is not None:
            self.check_verb(statement)
        if sum(token.text == "$" and token.kind is Kind.SIGN for token in statement.tokens) > _MOST_UNCLOSED:
            raise ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: too many $ that open no text")

    def check_identifiers(self, passed: Passed, parameters: Mapping[str, str]) -> None:
        """Raises ClickHouseError on a parameter that would name a file or a system table."""
        for name in passed.identifiers:
            value = parameters.get(name, "x")
            parts = [part.strip() for part in value.lower().split(".")]
            if _IDENTIFIER.fullmatch(value) is None or _SYSTEM in parts:
                raise _refusal(f"the parameter {name} is no identifier for the read-only user")

    def unreadable(self, statement: Statement, error: ClickHouseError) -> ClickHouseError:
        """What to say of a statement that the engine could not format: `error`, without the query that asked for it.

        The engine takes a first word that it does not know for an expression, and complains of the second one.
        """
        first = statement.tokens[0] if statement.tokens else None
        if error.code != SYNTAX_ERROR or first is None or statement.verb in _VERBS:
            return error.without(_ASKED, "))")
        word = statement.text[first.start : first.end].decode(errors="replace")
        message = f"Syntax error: failed at position {first.start + 1} ({word}): no statement begins so"
        return ClickHouseError(SYNTAX_ERROR, "SYNTAX_ERROR", message)

    def passed(self, statement: Statement) -> Passed:
        """The statement, if it only reads tables, by functions and settings that are the reader's.

        Raises ClickHouseError (READONLY) otherwise.
        """
        self.check_verb(statement)
        self._check_words(statement)
        clauses = Clauses(statement)
        if clauses.joins_statements():
            raise _refusal("PARALLEL WITH is not for the read-only user")
        for token in clauses.quoted():
            if "\\" in token.text:
                raise _refusal("an identifier holds no backslash")
        for token in clauses.called():
            self._check_call(token)
        for table in clauses.system_tables():
            if table not in self._rights.system_tables:
                raise _refusal(f"the table system.{table} is not for the read-only user")
        if clauses.names_a_path():
            raise _refusal("a table's name holds no path")
        for name, value in clauses.settings():
            self.check_settings({name: value})
        for name in clauses.formats():
            if name.lower() in self._known_formats:
                self.check_format(name)
        self._check_texts(clauses)
        if statement.format is not None:
            self.check_format(statement.format)
        return Passed(statement.with_few_tokens(), clauses.identifier_parameters())

    def _check_call(self, token: Token) -> None:
        name = token.text.lower()
        if self._rights.may_call(name):
            return
        if name in self._known_functions:
            raise _refusal(f"the function {name} is not for the read-only user")
        message = f"Function {name} does not exist, or is not for the read-only user"
        raise ClickHouseError(UNKNOWN_FUNCTION, "UNKNOWN_FUNCTION", message)

    def _check_texts(self, clauses: Clauses) -> None:
        """The texts by which a function is told what it is: literals, so that nothing else is hidden in them."""
        for name in clauses.first_texts(_TAKING_AGGREGATES):
            plain = _AGGREGATE.fullmatch(name)
            if plain is None or not self._rights.may_call(plain[1]):
                raise _refusal(
                    "the name of an aggregate function is a literal, and its parameters are numbers"
                )
        for name in clauses.first_texts(_TAKING_FORMATS):
            self.check_format(name)
        for pattern in clauses.first_texts(_TAKING_PATTERNS):
            # The table function of the same name reads a format; it takes a structure, too.
            if not pattern or pattern.lower() in self._known_formats:
                raise _refusal("format('…', …) takes a literal pattern, no format")

    def _check_words(self, statement: Statement) -> None:
        """The parts of SHOW and USE, which have no functions."""
        words = [token for token in statement.tokens if token.text != "("]
        if statement.verb == "USE":
            if len(words) != 2:
                raise _refusal("USE takes the name of a database, and no parameter")
            self.check_database(words[1].text)
        if statement.verb == "SHOW":
            rest = [token.text for token in words[1:4] if not token.is_word(*_SHOW_ADVERBS)]
            created = rest[:1] == ["CREATE"] and set(rest[1:2]) <= _SHOW_CREATE
            if not created and not set(rest[:1]) <= _SHOWN:
                raise _refusal(f"SHOW {' '.join(rest[:2])} is not for the read-only user")


def _refusal(reason: str) -> ClickHouseError:
    return ClickHouseError(READONLY, "READONLY", f"Cannot execute query in readonly mode: {reason}")
