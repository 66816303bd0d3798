"""Numbers as a report writes them."""

from __future__ import annotations

import re

from neonblue.reports.model import Effect, Scale
from neonblue.statistics import Role, Verdict

MINUS, NONE = "−", "–"
_HYPHEN = re.compile(r"(?<![\w.])-(?=\d)")
VERDICTS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.UNDECIDED: "not decided",
    Verdict.UNKNOWN: "no test",
}
ROLES = {Role.PRIMARY: "primary", Role.SECONDARY: "secondary", Role.GUARDRAIL: "guardrail"}


def true_minus(text: str) -> str:
    """A sentence with true minus signs before its numbers; hyphens within words stay."""
    return _HYPHEN.sub(MINUS, text)


def count(value: int) -> str:
    """1234567 as 1,234,567."""
    return f"{value:,}"


def number(value: float | None, *, sign: bool = False) -> str:
    """Four significant digits and grouped thousands; a true minus."""
    if value is None:
        return NONE
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4
    if 0 < size < 0.001:
        return f"{value:{'+' if sign else ''}.2g}".replace("-", MINUS)
    return _signed(value, digits, sign)


def tick(value: float, scale: Scale, *, sign: bool = False, suffix: str = " %") -> str:
    """A number on an axis: no more digits than it needs."""
    shown = 100 * value if scale is Scale.SHARE else value
    if abs(shown) < 1e-9:
        return "0"
    text = f"{float(f'{shown:.4g}'):{'+' if sign else ''},.12f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS) + (suffix if scale is Scale.SHARE else "")


def share(value: float | None, *, sign: bool = False, suffix: str = " %") -> str:
    """0.4425 as 44.25 %: two digits below 1 %, one from 10 % on in differences."""
    if value is None:
        return NONE
    percent = 100 * value
    digits = 1 if sign and abs(percent) >= 10 else 2
    return f"{_signed(percent, digits, sign)}{suffix}"


def value(amount: float | None, scale: Scale) -> str:
    """A metric's value in its scale."""
    return share(amount) if scale is Scale.SHARE else number(amount)


def difference(amount: float | None, scale: Scale) -> str:
    """A difference of values, shares in percentage points."""
    return share(amount, sign=True, suffix=" pp") if scale is Scale.SHARE else number(amount, sign=True)


def _signed(value: float, digits: int, sign: bool) -> str:
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    return text.lstrip("+-") if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def interval(lower: float | None, upper: float | None, scale: Scale) -> str:
    """Both ends; an end without bound is open."""
    if lower is None and upper is None:
        return NONE
    return f"{difference(lower, scale)} to {difference(upper, scale)}"


def lift(effect: Effect) -> str:
    """The relative change, with its interval where there is one."""
    if effect.lift is None:
        return NONE
    return f"{share(effect.lift, sign=True)} ({lift_interval(effect.lift_lower, effect.lift_upper)})"


def lift_interval(lower: float | None, upper: float | None) -> str:
    """Both ends as percentages; an end without bound is named so."""
    low = "unbounded" if lower is None else share(lower, sign=True)
    high = "unbounded" if upper is None else share(upper, sign=True)
    return f"{low} to {high}"


def p_value(p: float | None) -> str:
    """Two significant digits; below 0.0001 as a bound."""
    if p is None:
        return NONE
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"
