"""What a cell of a data file means apart from its number: nothing, a truth value, a unit, an arm."""

from __future__ import annotations

from decimal import Decimal

from neonblue.tables.errors import CellError

TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
TRUTHS = TRUE | FALSE
BLANK = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "–", "—", "."}
    | {"<na>", "#na", "#n/a", "#n/a n/a", "-nan", "+nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nat"}
    | {"\\n", "(null)", "[null]", "<null>", "undefined"}
)
"""What people and programs write for nothing, in small letters: R, pandas, Excel, SAS, SQL clients, JavaScript."""

LONGEST_ID = 256
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060"


def plain(cell: str) -> str:
    """The cell without spaces around it, nor signs that nobody sees."""
    return cell.strip() if cell.isascii() else cell.strip().strip(_UNSEEN).strip()


def is_blank(cell: str) -> bool:
    """Whether nothing was recorded."""
    return plain(cell).lower() in BLANK


def truth(cell: str) -> Decimal | None:
    """1 or 0; None where nothing was recorded. Raises CellError for anything but a truth value."""
    word = plain(cell).lower()
    if word in TRUTHS:
        return Decimal(int(word in TRUE))
    if word in BLANK:
        return None
    raise CellError(f"{shown(cell)} is no truth value")


def unit(cell: str) -> str:
    """The unit's id. Raises CellError where there is none, or it is too long to be kept."""
    name = plain(cell)
    if name.lower() in BLANK:
        raise CellError(f"no unit ({shown(cell)})" if name else "no unit (the cell is blank)")
    if "\n" in name or "\r" in name:
        raise CellError(f"the unit {shown(cell)} goes over several lines: is a quote closed in another row?")
    if len(name) > LONGEST_ID:
        raise CellError(f"the unit {shown(cell)} has {len(name):,} characters, more than {LONGEST_ID}")
    return name


def arm(cell: str) -> str:
    """The arm's name. Raises CellError where there is none, or it is too long to be kept."""
    name = plain(cell)
    if name.lower() in BLANK:
        asked = f"; if that is an arm, say --control {name}" if name.lower() == "none" else ""
        raise CellError(f"no arm ({shown(cell)}{asked})" if name else "no arm (the cell is blank)")
    if not name.isprintable():
        raise CellError(f"the arm {shown(cell)} holds signs that can't be shown")
    if len(name) > LONGEST_ID:
        raise CellError(f"the arm {shown(cell)} has {len(name):,} characters, more than {LONGEST_ID}")
    return name


def shown(cell: str, most: int = 40) -> str:
    """The cell as a message quotes it."""
    text = cell.strip()
    return repr(text if len(text) <= most else text[:most] + "…")
