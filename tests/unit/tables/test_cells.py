"""What a cell means by itself: nothing, a truth value, a unit, an arm."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neonblue.tables import cells
from neonblue.tables.errors import CellError
from neonblue.tables.numbers import number

NOTHING = [
    *(
        "",
        " ",
        "NA",
        "N/A",
        "NaN",
        "nan",
        "null",
        "NULL",
        "None",
        "-",
        "<NA>",
        "#N/A",
        "#NA",
        "-1.#IND",
        "NaT",
    ),
    *("\\N", ".", "\u00a0", "\ufeff"),
]


@pytest.mark.parametrize(
    ("cell", "expected"), [("True", 1), ("FALSE", 0), ("yes", 1), ("", None), ("0", 0), (" 1 ", 1)]
)
def test_truth_values_in_several_words(cell: str, expected: int | None) -> None:
    assert cells.truth(cell) == (None if expected is None else Decimal(expected))


def test_what_is_no_truth_value_says_so() -> None:
    with pytest.raises(CellError, match="'maybe' is no truth value"):
        cells.truth("maybe")


@pytest.mark.parametrize("cell", NOTHING)
def test_what_programs_write_for_nothing_is_blank_no_number_no_unit_and_no_arm(cell: str) -> None:
    assert cells.is_blank(cell)
    assert number(cell) is None
    assert cells.truth(cell) is None
    for read in (cells.unit, cells.arm):
        with pytest.raises(CellError, match=r"no (unit|arm)"):
            read(cell)


def test_signs_that_nobody_sees_are_no_part_of_a_name() -> None:
    assert cells.arm("treatment\u00a0") == cells.arm(" treatment\u200b") == "treatment"


@pytest.mark.parametrize(("read", "what"), [(cells.unit, "unit"), (cells.arm, "arm")])
def test_a_name_that_is_too_long_is_shown_in_part(read: object, what: str) -> None:
    with pytest.raises(CellError, match=f"the {what} 'x{{40}}…' has 300 characters, more than 256"):
        read("x" * 300)  # type: ignore[operator]


def test_an_arm_that_would_steer_a_terminal_is_refused() -> None:
    with pytest.raises(CellError, match="can't be shown"):
        cells.arm("a\x1b[2J")
