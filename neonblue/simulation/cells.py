"""What a cell of a data file means: a truth value, a number, a time, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
BLANK = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "–", "—", "."}
    | {"<na>", "#na", "#n/a", "#n/a n/a", "-nan", "+nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nat"}
    | {"\\n", "(null)", "[null]", "<null>", "undefined"}
)
"""What people and programs write for nothing, in small letters: R, pandas, Excel, SAS, SQL clients, JavaScript."""

LARGEST = Decimal(10) ** 12
PLACES = Decimal("0.000001")
"""Values are kept with 18 digits, six of them after the point."""


class CellError(ValueError):
    """The cell doesn't hold what its column should."""


def is_blank(cell: str) -> bool:
    """Whether nothing was recorded."""
    return cell.strip().lower() in BLANK


def is_truth(cell: str) -> bool:
    """Whether the cell reads as true or false."""
    return cell.strip().lower() in TRUE | FALSE


def is_number(cell: str) -> bool:
    """Whether the cell reads as a value that can be kept."""
    try:
        number(cell)
    except CellError:
        return False
    return True


def truth(cell: str) -> bool | None:
    """True or false; any other number is true unless it is 0; None where nothing was recorded. Raises CellError."""
    word = cell.strip().lower()
    if word in TRUE | FALSE:
        return word in TRUE
    value = number(cell)
    return None if value is None else value != 0


def number(cell: str) -> Decimal | None:
    """The value, rounded to six places; truth values are 1 and 0; None where nothing was recorded. Raises CellError."""
    word = cell.strip().lower()
    if word in BLANK:
        return None
    try:
        value = Decimal(word)
    except InvalidOperation:
        if word in TRUE | FALSE:
            return Decimal(int(word in TRUE))
        raise CellError(f"{cell.strip()!r} is not a number") from None
    if not value.is_finite() or abs(value) >= LARGEST:
        raise CellError(f"{cell.strip()!r} is too large: values are below 10^12")
    return value if value == value.to_integral_value() else value.quantize(PLACES)


def time(cell: str) -> datetime:
    """An ISO 8601 date or time, in UTC where no zone is given, or Unix seconds. Raises CellError."""
    word = cell.strip()
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        return _unix(word)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _unix(word: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(word), UTC)
    except (ValueError, OverflowError, OSError):
        raise CellError(f"{word!r} is not a time such as 2025-07-01T12:00:00Z") from None
