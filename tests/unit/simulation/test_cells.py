from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.simulation import cells


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("True", True),
        ("FALSE", False),
        ("yes", True),
        ("", None),
        ("0", False),
        ("3.5", True),
        (" 1 ", True),
    ],
)
def test_truth(cell: str, expected: bool | None) -> None:
    assert cells.truth(cell) is expected


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6))
def test_numbers_of_six_places_are_kept_exactly(value: Decimal) -> None:
    assert cells.number(str(value)) == value


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("", None), ("True", 1), ("no", 0), ("1e3", 1000), ("0.12345678", Decimal("0.123457"))],
)
def test_numbers_in_other_forms(cell: str, expected: Decimal | int | None) -> None:
    assert cells.number(cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
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
        "\\N",
        ".",
    ],
)
def test_what_programs_write_for_nothing_is_blank_and_no_number(cell: str) -> None:
    assert cells.is_blank(cell)
    assert cells.number(cell) is None
    assert cells.truth(cell) is None


@pytest.mark.parametrize("cell", ["12,5", "many", "1e12", "Infinity", "-1e400"])
def test_what_is_no_number_says_so(cell: str) -> None:
    with pytest.raises(cells.CellError):
        cells.number(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "2025-07-01T12:00:00Z",
        "2025-07-01 12:00:00",
        "2025-07-01T14:00:00+02:00",
        "1751371200",
        "1751371200.0",
    ],
)
def test_times_in_several_forms_are_one_moment(cell: str) -> None:
    assert cells.time(cell) == datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["", "yesterday", "1e30", "nan"])
def test_what_is_no_time_says_so(cell: str) -> None:
    with pytest.raises(cells.CellError):
        cells.time(cell)
