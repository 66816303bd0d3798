"""Targeting expressions, checked when they are saved."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError

_MODULE = "neonblue.bucketing.targeting"
_compile = import_module(_MODULE).compile_expression if find_spec(_MODULE) else None


def check_expression(text: str) -> None:
    """Raises ContractError where the text is no expression; its message says at which position."""
    if _compile is None:
        return
    try:
        _compile(text)
    except ValueError as error:
        raise ContractError(Code.INVALID_EXPRESSION, str(error)) from None
