"""Targeting: an expression in CEL (Common Expression Language) over a unit's attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cel_expr_python import cel

EXPRESSION_LENGTH = 4_096
"""Characters of an expression, at most."""

_ENVIRONMENT = cel.NewEnv(variables={"attributes": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
_PLACE = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<what>[^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")


class TargetingError(Exception):
    """The expression has no answer for these attributes, such as where one that it reads is missing."""


@dataclass(frozen=True, slots=True)
class Targeting:
    """A compiled expression. Made by `compile_expression`."""

    text: str
    _compiled: Any = field(repr=False, compare=False)

    def matches(self, attributes: Mapping[str, Any]) -> bool:
        """Whether a unit with these attributes is meant. Raises TargetingError."""
        try:
            answer = self._compiled.eval(data={"attributes": attributes}).value()
        except (RuntimeError, TypeError, ValueError) as error:
            raise TargetingError(_STATUS.sub("", str(error))) from None
        if answer is True or answer is False:
            return answer
        raise TargetingError(_STATUS.sub("", str(answer)))


def compile_expression(text: str) -> Targeting:
    """The expression, checked: it reads `attributes` alone (`attributes.country == "DE"`) and is a boolean.

    Raises ValueError, which says what is wrong and where.
    """
    if len(text) > EXPRESSION_LENGTH:
        raise ValueError(f"must be at most {EXPRESSION_LENGTH} characters long")
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    try:
        text.encode()
        compiled = _ENVIRONMENT.compile(text)
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is no character") from None
    except (RuntimeError, TypeError) as error:
        raise ValueError(_explain(str(error))) from None
    kind = compiled.return_type()
    if kind != cel.Type.BOOL:
        hint = "compare it: `== true`" if kind == cel.Type.DYN else f"not {kind.name().lower()}"
        raise ValueError(f"must be true or false, {hint}")
    return Targeting(text, compiled)


def _explain(message: str) -> str:
    place = _PLACE.search(message)
    if place is None:
        return _STATUS.sub("", _STATUS.sub("", message))
    what = _STATUS.sub("", place["what"])
    return f"line {place['line']}, column {place['column']}: {what[:1].lower()}{what[1:]}"
