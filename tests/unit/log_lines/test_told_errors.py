"""Errors are told by their kind and place; their own words where those quote nothing."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError
from neonblue.log_lines.errors import sentence, told
from neonblue.stack.errors import StackError


@pytest.mark.parametrize(
    "error",
    [
        ValueError("'ann' is no number"),
        KeyError("ann"),
        TypeError("ann"),
        UnicodeDecodeError("utf-8", b"ann", 0, 1, "ann"),
        errors.UniqueViolation("duplicate key\nDETAIL:  Key (user_id)=(ann) already exists"),
        psycopg.DataError('invalid input syntax for type uuid: "ann"'),
        Exception("ann"),
        ContractError(Code.NOT_JSON, "ann is no number"),
    ],
)
def test_a_value_is_never_quoted(error: Exception) -> None:
    assert "ann" not in sentence(error)
    assert type(error).__name__ in sentence(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "ConnectionRefusedError: [Errno 111] Connection refused",
        ),
        (RuntimeError("Event loop is closed"), "RuntimeError: Event loop is closed"),
        (StackError("kafka: no broker is registered yet"), "StackError: kafka: no broker is registered yet"),
        (errors.UniqueViolation("x"), "UniqueViolation: sqlstate=23505"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_says_no_value_speaks_for_itself(error: Exception, said: str) -> None:
    assert sentence(error) == said


def test_what_led_to_it_and_the_parts_of_a_group_are_told_too() -> None:
    try:
        try:
            raise KeyError("ann")
        except KeyError as first:
            raise ExceptionGroup("several", [OSError(28, "this"), ValueError("ann")]) from first
    except ExceptionGroup as error:
        text = told(error)

    assert text.index("KeyError") < text.index("which led to:") < text.index("ExceptionGroup")
    assert "OSError: [Errno 28] this" in text
    assert "ann" not in text.replace('"ann"', "")  # but in the line of this test that raised it


def test_an_error_that_led_to_itself_is_told_once() -> None:
    error = ValueError("x")
    error.__cause__ = RuntimeError("y")
    error.__cause__.__cause__ = error

    assert told(error).count("RuntimeError") == 1
