"""Numbers in the ways that people and programs write them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.tables.errors import CellError
from neonblue.tables.numbers import Notation, exact_number, notation_of, number, shape_of


def read(cells: list[str], separator: str = ",") -> list[Decimal | None]:
    notation = notation_of(Counter(map(shape_of, cells)), separator)
    assert not notation.doubtful
    return [number(cell, notation) for cell in cells]


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6))
def test_numbers_of_six_places_are_kept_exactly(value: Decimal) -> None:
    assert number(str(value)) == value


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_grouped_numbers_are_read_back_under_either_decimal_sign(value: Decimal) -> None:
    english = f"{value:,}"
    german = english.translate(str.maketrans(",.", ".,"))

    assert number(english, Notation(".")) == number(german, Notation(",")) == value


@given(st.text())
def test_any_cell_is_a_number_blank_or_refused(cell: str) -> None:
    shape_of(cell)
    for notation in (Notation(), Notation(","), Notation(percent=True), Notation(currency="$")):
        try:
            value = number(cell, notation)
        except CellError:
            continue
        assert value is None or (value.is_finite() and abs(value) < 10**12)


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (["0,50", "1,5", "7"], ";", ["0.5", "1.5", "7"]),
        (["1.200,50", "3,1"], ";", ["1200.5", "3.1"]),
        (["12,50", "9,99"], ",", ["12.5", "9.99"]),
        (["1,200", "900", "12,000,000"], ",", ["1200", "900", "12000000"]),
        (["$1,200.00", "$5", "0"], ",", ["1200", "5", "0"]),
        (["5 €", "7,20 €"], ";", ["5", "7.2"]),
        (["12 %", "12.5%", "0%"], ",", ["0.12", "0.125", "0"]),
        (["(5.00)", "-5", "\u22125"], ",", ["-5", "-5", "-5"]),
        (["1 200", "1\u00a0200", "3"], ",", ["1200", "1200", "3"]),
        (["0,125", "1,250"], ";", ["0.125", "1.25"]),
        (["1e3", "2.5E-1", "+7"], ",", ["1000", "0.25", "7"]),
        (["0.12345678"], ",", ["0.123457"]),
        (["1e-300"], ",", ["0"]),
    ],
)
def test_a_column_is_read_as_all_its_cells_agree(
    cells: list[str], separator: str, expected: list[str]
) -> None:
    assert read(cells, separator) == [Decimal(value) for value in expected]


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["1,200", "3,400"], ";"),
        (["1.200", "3.400"], ";"),
        (["1,200", "3,400"], ","),
        (["1,200", "5"], ","),
        (["1,200"] * 399 + ["12,5"], ","),
        (["1.200"] * 399 + ["12.5"], ";"),
    ],
)
def test_thousands_that_may_be_decimals_are_doubtful(cells: list[str], separator: str) -> None:
    assert notation_of(Counter(map(shape_of, cells)), separator).doubtful


def test_three_decimals_are_doubtful_where_another_column_has_decimal_commas() -> None:
    shapes = Counter(map(shape_of, ["1.200", "3.400"]))

    assert not notation_of(shapes, ",").doubtful
    assert notation_of(shapes, ",", comma_elsewhere=True).doubtful


@pytest.mark.parametrize(
    ("cell", "notation", "words"),
    [
        ("12,50", Notation(), "decimal point"),
        ("12.50", Notation(","), "decimal comma"),
        ("12 %", Notation(), "in percent"),
        ("12", Notation(percent=True), "without a %"),
        ("€5", Notation(currency="$"), "is not in $"),
        ("many", Notation(), "'many' is not a number"),
        ("yes", Notation(), "'yes' is not a number"),
        ("1_000", Notation(), "is not a number"),
        ("1e12", Notation(), "values are below 10^12"),
        ("1e999999999", Notation(), "too large"),
        ("Infinity", Notation(), "too large"),
        ("9" * 5_000, Notation(), "too large or too long"),
        ("1,20,000", Notation(), "is not a number"),
    ],
)
def test_what_is_no_number_says_so(cell: str, notation: Notation, words: str) -> None:
    with pytest.raises(CellError) as caught:
        number(cell, notation)

    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_sums_may_be_larger_than_values() -> None:
    assert exact_number("1.5e20") == Decimal("1.5e20")
