"""Targeting expressions, checked when they are saved."""

from __future__ import annotations

from neonblue.bucketing.targeting import compile_expression
from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError


def check_expression(text: str) -> None:
    """Raises ContractError where the text is no expression; its message says at which position."""
    try:
        compile_expression(text)
    except ValueError as error:
        raise ContractError(Code.INVALID_EXPRESSION, str(error)) from None
