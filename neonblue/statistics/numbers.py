"""Numbers as people read them: one form for each in sentences, tables, drawings and on the command line. Pure."""

from __future__ import annotations

import math
import re

MINUS, NONE, UNBOUNDED = "−", "–", "unbounded"
SMALLEST_P = 0.0001
_HYPHEN = re.compile(r"(?<![\w.])-(?=\d)")
_MOST_DIGITS = 12
_LARGEST = 1e15


def true_minus(text: str) -> str:
    """A sentence with true minus signs before its numbers; hyphens within words stay."""
    return _HYPHEN.sub(MINUS, text)


def count(value: int) -> str:
    """1234567 as 1,234,567."""
    return f"{value:,}"


def two_digits_up(value: float) -> int:
    """A count to be reached, > 0, rounded up to two digits: 12345.6 as 13000."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / step - 1e-9) * round(step) if step >= 1 else math.ceil(value - 1e-9)


def p_value(p: float | None) -> str:
    """Four decimals; below 0.0001 as a bound."""
    if p is None:
        return NONE
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.4f}"


def p_is(p: float) -> str:
    """A p-value within a sentence: "p = 0.0350", "p < 0.0001"."""
    return f"p {p_value(p)}" if p < SMALLEST_P else f"p = {p_value(p)}"


def level(share: float) -> str:
    """A confidence level, 0.95 as "95 %", with two decimals at most; never rounded up to "100 %"."""
    text = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return "> 99.99 %" if text == "100" and share < 1 else f"{text} %"


def places(control: float | None, treatment: float | None, difference: float | None) -> int:
    """Decimals for a row of plain numbers, the same in all of its cells.

    The larger mean has four significant digits, the difference at least two, as far as two decimals more give them.
    """
    means = [abs(mean) for mean in (control, treatment) if mean]
    digits = max(3 - _magnitude(max(means)), 0) if means else 2
    return _with_difference(digits, difference)


def share_places(control: float | None, treatment: float | None, difference: float | None) -> int:
    """Decimals for a row of percentages: two, more where shares or their difference are smaller."""
    means = [100 * abs(mean) for mean in (control, treatment) if mean]
    digits = max(2, 2 - _magnitude(max(means))) if means else 2
    return _with_difference(digits, None if difference is None else 100 * difference)


def number(value: float | None, *, sign: bool = False, digits: int | None = None) -> str:
    """Grouped thousands and a true minus; four significant digits where `digits`, the decimals, is not given."""
    if value is None:
        return NONE
    if math.isinf(value):
        return UNBOUNDED
    digits = places(value, None, None) if digits is None else digits
    if abs(value) >= _LARGEST or digits > _MOST_DIGITS:
        return f"{value:{'+' if sign else ''}.4g}".replace("-", MINUS)
    return _signed(value, digits, sign)


def share(value: float | None, *, sign: bool = False, suffix: str = " %", digits: int | None = None) -> str:
    """0.4425 as 44.25 %: two decimals; with a sign, which is a change, one from 10 % on."""
    if value is None:
        return NONE
    if math.isinf(value):
        return UNBOUNDED
    percent = 100 * value
    usual = 1 if sign and abs(percent) >= 10 else 2
    return f"{_signed(percent, usual if digits is None else digits, sign)}{suffix}"


def change(value: float | None) -> str:
    """A relative change: 0.3 as "+30.0 %"."""
    return share(value, sign=True)


def points(value: float | None, *, digits: int = 2) -> str:
    """A difference of shares in percentage points: 0.0123 as "+1.23 pp"."""
    return share(value, sign=True, suffix=" pp", digits=digits)


def change_interval(lower: float | None, upper: float | None) -> str:
    """Both ends of a relative change; an end without bound is named so."""
    return f"{change(_bounded(lower))} to {change(_bounded(upper))}"


def margin(size: float, *, relative: bool, of_shares: bool) -> str:
    """A guardrail's margin: "5 %" of the control's value, or "0.5 pp", or a plain number."""
    if relative or of_shares:
        text = f"{100 * size:.4f}".rstrip("0").rstrip(".")
        return f"{text} {'%' if relative else 'pp'}"
    return f"{size:,.6f}".rstrip("0").rstrip(".")


def _bounded(bound: float | None) -> float:
    return math.inf if bound is None else bound


def _with_difference(digits: int, difference: float | None) -> int:
    if not difference or not math.isfinite(difference):
        return digits
    return max(digits, min(1 - _magnitude(abs(difference)), digits + 2))


def _magnitude(size: float) -> int:
    return math.floor(math.log10(size)) if math.isfinite(size) else 0


def _signed(value: float, digits: int, sign: bool) -> str:
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    return text.lstrip("+-") if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)
