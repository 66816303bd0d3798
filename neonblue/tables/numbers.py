"""Numbers as people and programs write them: how a column writes them, and what a cell is worth then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from neonblue.tables.cells import BLANK, TRUTHS, plain, shown
from neonblue.tables.errors import CellError

LARGEST_EXPONENT = 12
"""Values are below 10^12."""

SMALLEST_EXPONENT = -100
"""Values that are kept as they are written are at least 10^-100."""

PLACES = Decimal("0.000001")
"""Values are kept with 18 digits, six of them after the point."""
MOST_ROUNDED = Decimal("0.01")
"""The share of a value that rounding to six places may change."""
NOISE = Decimal("1e-12")
"""Below it a number is what computing has left of a zero."""

FEW_TELL = 10
"""So many doubtful numbers for each that tells what the sign is leave it doubtful."""

LONGEST_NUMBER = 64
"""Characters of a cell that can be a number."""

_SIGNS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"})
_MARK = r"[$€£¥%]|USD|EUR|GBP|JPY|CHF"
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-]?) ?(?P<before>{_MARK})? ?(?P<later>[+-]?)(?P<body>[.,]?\d[\d.,' ]*?)"
    rf"(?P<exponent>[eE][+-]?\d{{1,3}})? ?(?P<after>{_MARK})?(?(open)\))",
    re.ASCII,
)
_POINT = re.compile(
    r"\d+\.?\d*|\.\d+|[1-9]\d{0,2}(?P<mark>[, '])\d{3}(?:(?P=mark)\d{3})*(?:\.\d*)?", re.ASCII
)
_COMMA = re.compile(
    r"\d+(?:,\d+)?|,\d+|[1-9]\d{0,2}(?P<mark>[. '])\d{3}(?:(?P=mark)\d{3})*(?:,\d+)?", re.ASCII
)
_DIGIT = re.compile(r"\d", re.ASCII)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EXCESSIVE = re.compile(r"[+-]?[\d.]+[eE][+-]?\d{4,}|[+-]?(?:\d{65,}|inf|infinity)", re.ASCII | re.IGNORECASE)


class Word(StrEnum):
    """What a cell is by itself."""

    BLANK = "blank"
    TRUTH = "truth value"
    NUMBER = "number"
    OTHER = "other"


class Shape(NamedTuple):
    """How a cell is written.

    point, comma: whether it is a number under a decimal point, under a decimal comma; signs: which of `.` and `,` it
    holds; mark: a currency or `%`. zero_or_one: also a truth value. whole: digits alone; padded: those begin with 0.
    """

    word: Word
    point: bool = False
    comma: bool = False
    signs: str = ""
    mark: str = ""
    zero_or_one: bool = False
    whole: bool = False
    padded: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether it is one number under a decimal point and another under a decimal comma, as 1,200 is."""
        return self.point and self.comma and bool(self.signs)


def shape_of(cell: str) -> Shape:
    """The shape of a cell."""
    text = plain(cell)
    word = text.lower()
    if word in BLANK:
        return Shape(Word.BLANK)
    if _DIGIT.search(text) is None:
        return Shape(Word.TRUTH, zero_or_one=True) if word in TRUTHS else Shape(Word.OTHER)
    parts = _parts(text)
    if parts is None:
        return Shape(Word.OTHER)
    point, comma = _admits(parts, "."), _admits(parts, ",")
    if not point and not comma:
        return Shape(Word.OTHER)
    signs = "".join(sign for sign in ".," if sign in parts.body)
    whole = text.isdigit()
    padded = whole and len(text) > 1 and text[0] == "0"
    return Shape(Word.NUMBER, point, comma, signs, parts.mark, word in TRUTHS, whole, padded)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a column writes its numbers.

    decimal: the sign before the decimals. percent: every number has a `%`. currency: the one that stands at numbers, or
    none. thousands: some are grouped. doubtful: whether `1,200` is 1200 or 1.2 can't be told from the column.
    """

    decimal: str = "."
    percent: bool = False
    currency: str = ""
    thousands: bool = False
    doubtful: bool = False

    @property
    def words(self) -> str:
        """What is worth telling of it; empty for plain numbers."""
        told = ["with a decimal comma"] if self.decimal == "," else []
        told += ["with separated thousands"] if self.thousands else []
        told += ["in percent (12 % is 0.12)"] if self.percent else []
        return ", ".join([*told, *([f"in {self.currency}"] if self.currency else [])])


PLAIN = Notation()


def notation_of(shapes: Mapping[Shape, int], separator: str, *, comma_elsewhere: bool = False) -> Notation:
    """The notation under which most cells are numbers.

    shapes: how many cells have which. separator: of the columns. comma_elsewhere: another column has decimal commas.
    """
    numbers = {shape: count for shape, count in shapes.items() if shape.word is Word.NUMBER}
    every = sum(numbers.values())
    as_point = sum(count for shape, count in numbers.items() if shape.point)
    as_comma = sum(count for shape, count in numbers.items() if shape.comma)
    decimal = "," if as_comma > as_point else "."
    mark = _doubtful_sign(numbers, decimal)
    marks = {
        mark: sum(n for shape, n in numbers.items() if shape.mark == mark)
        for mark in {s.mark for s in numbers}
    }
    currencies = {mark: count for mark, count in marks.items() if mark not in ("", "%")}
    return Notation(
        decimal=decimal,
        percent=marks.get("%", 0) * 2 > every,
        currency=max(sorted(currencies), key=lambda mark: currencies[mark], default=""),
        thousands=any(_other(decimal) in shape.signs for shape in numbers),
        doubtful=mark == "," or (mark == "." and (comma_elsewhere or separator != ",")),
    )


def _doubtful_sign(numbers: Mapping[Shape, int], decimal: str) -> str:
    """The sign of which can't be told whether it separates decimals or thousands; empty where there is none.

    A few cells such as 12,5 among many such as 3,201 don't tell: they may be the ones that are written amiss.
    """
    doubtful = {shape.signs: 0 for shape in numbers if shape.is_doubtful}
    for shape, count in numbers.items():
        if shape.is_doubtful:
            doubtful[shape.signs] += count
    for sign, count in doubtful.items():
        # Groups of three digits with the other sign behind them, or several groups, leave no doubt.
        grouped = sum(
            n for s, n in numbers.items() if not s.is_doubtful and sign in s.signs and not _as(s, sign)
        )
        if sign == decimal:
            telling = sum(
                n for s, n in numbers.items() if not s.is_doubtful and s.signs == sign and _as(s, sign)
            )
            if not grouped and count > FEW_TELL * telling:
                return sign
        else:
            others = any(_other(sign) in s.signs and not s.is_doubtful for s in numbers)
            if not grouped and not others:
                return sign
    return ""


def _as(shape: Shape, decimal: str) -> bool:
    return shape.point if decimal == "." else shape.comma


def number(cell: str, notation: Notation = PLAIN, *, exact: bool = False) -> Decimal | None:
    """The value, rounded to six places unless `exact`; None where nothing was recorded. Raises CellError.

    A value of which the rounding would leave something else is refused: the platform keeps six places. Exact ones are
    refused where their squares would vanish.
    """
    text = plain(cell)
    if text.lower() in BLANK:
        return None
    value = exact_number(text, notation)
    if value and value.adjusted() >= LARGEST_EXPONENT:
        raise CellError(f"{shown(cell)} is too large: values are below 10^12")
    if value == value.to_integral_value():
        return value
    if exact:
        if value.adjusted() < SMALLEST_EXPONENT:
            raise CellError(f"{shown(cell)} is too small: give the column in a smaller unit")
        return value
    kept = value.quantize(PLACES) if value.adjusted() >= -LARGEST_EXPONENT else Decimal(0)
    if abs(value) >= NOISE and abs(value - kept) > abs(value) * MOST_ROUNDED:
        raise CellError(
            f"{shown(cell)} is too small: values have six decimals; give the column in a smaller unit"
        )
    return kept


def exact_number(cell: str, notation: Notation = PLAIN) -> Decimal:
    """The number as it is written, of any size up to 10^1000. Raises CellError, also for a blank cell."""
    text = plain(cell)
    if (
        notation.decimal == "."
        and not notation.percent
        and len(text) <= LONGEST_NUMBER
        and _PLAIN.fullmatch(text)
    ):
        return Decimal(text)
    parts = _parts(text)
    if parts is None:
        too = _EXCESSIVE.fullmatch(text) is not None
        raise CellError(f"{shown(cell)} is {'too large or too long for a value' if too else 'not a number'}")
    if (parts.mark == "%") != notation.percent:
        other = (
            "stands without a % among percentages"
            if notation.percent
            else "is in percent, other cells are not"
        )
        raise CellError(f"{shown(cell)} {other}")
    if parts.mark not in ("", "%", notation.currency):
        raise CellError(f"{shown(cell)} is not in {notation.currency}")
    if not _admits(parts, notation.decimal):
        sign = "point" if notation.decimal == "." else "comma"
        raise CellError(f"{shown(cell)} is not a number with a decimal {sign}")
    grouping = str.maketrans(dict.fromkeys(_other(notation.decimal) + " '"))
    body = parts.body.translate(grouping).replace(",", ".")
    value = Decimal(f"{'-' if parts.negative else ''}{body}{parts.exponent}")
    return value.scaleb(-2) if notation.percent else value


class _Parts(NamedTuple):
    negative: bool
    mark: str
    body: str
    exponent: str


def _parts(text: str) -> _Parts | None:
    """The parts of what may be a number, None for what can't be one."""
    if len(text) > LONGEST_NUMBER:
        return None
    match = _NUMBER.fullmatch(text if text.isascii() else text.translate(_SIGNS))
    if match is None:
        return None
    part = match.groupdict(default="")
    if (
        (part["before"] and part["after"])
        or (part["sign"] and part["later"])
        or (part["open"] and part["sign"])
    ):
        return None
    negative = bool(part["open"]) or "-" in (part["sign"], part["later"])
    return _Parts(negative, part["before"] or part["after"], part["body"], part["exponent"])


def _admits(parts: _Parts, decimal: str) -> bool:
    if parts.exponent and decimal == ",":
        return False
    return (_POINT if decimal == "." else _COMMA).fullmatch(parts.body) is not None


def _other(decimal: str) -> str:
    return "," if decimal == "." else "."
