"""One broken rule."""

from __future__ import annotations

from dataclasses import dataclass

from neonblue.contract.codes import Code


@dataclass(frozen=True, slots=True)
class Violation:
    """What rule an item broke: a stable code, what to do, and the field where one is to blame."""

    code: Code
    message: str
    field: str | None = None


class ContractError(ValueError):
    """An item, or a whole body, that broke a rule."""

    def __init__(self, code: Code, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.violation = Violation(code, message, field)
