"""Numbers as people read them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import numbers


@pytest.mark.parametrize(
    ("p", "shown", "said"),
    [
        (0.0, "< 0.0001", "p < 0.0001"),
        (7.92e-11, "< 0.0001", "p < 0.0001"),
        (0.0001, "0.0001", "p = 0.0001"),
        (0.035, "0.0350", "p = 0.0350"),
        (1.0, "1.0000", "p = 1.0000"),
    ],
)
def test_a_p_value_has_one_form(p: float, shown: str, said: str) -> None:
    assert (numbers.p_value(p), numbers.p_is(p)) == (shown, said)


@given(st.floats(0, 1))
def test_no_p_value_has_an_exponent(p: float) -> None:
    assert re.fullmatch(r"< 0\.0001|[01]\.\d{4}", numbers.p_value(p))


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (0.95, "95 %"),
        (0.975, "97.5 %"),
        (1 - 0.05 / 3, "98.33 %"),
        (0.9999, "99.99 %"),
        (0.9999999, "> 99.99 %"),
    ],
)
def test_a_level_is_never_rounded_up_to_certainty(level: float, shown: str) -> None:
    assert numbers.level(level) == shown


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ((4.058, 5.175, 1.117), ("4.058", "5.175", "+1.117")),
        ((4.058, 3.8415, -0.2165), ("4.058", "3.841", "−0.216")),
        ((812.0, 850.0, 38.0), ("812.0", "850.0", "+38.0")),
        ((10_400.0, 10_400.4, 0.4), ("10,400.00", "10,400.40", "+0.40")),
        ((0.0, 0.0, 0.0), ("0.00", "0.00", "0.00")),
    ],
)
def test_a_row_of_numbers_has_the_same_decimals(
    row: tuple[float, float, float], shown: tuple[str, ...]
) -> None:
    digits = numbers.places(*row)
    control, treatment, difference = row

    assert (
        numbers.number(control, digits=digits),
        numbers.number(treatment, digits=digits),
        numbers.number(difference, sign=True, digits=digits),
    ) == shown


def test_small_shares_keep_their_digits() -> None:
    digits = numbers.share_places(0.00012, 0.00015, 0.00003)

    assert numbers.share(0.00012, digits=digits) == "0.0120 %"
    assert numbers.points(0.00003, digits=digits) == "+0.0030 pp"
    assert numbers.share_places(0.0984, 0.1036, 0.0052) == 2


@given(st.floats(allow_nan=False, min_value=-1e300, max_value=1e300))
def test_no_number_has_a_hyphen_for_a_minus(value: float) -> None:
    assert "-" not in numbers.number(value).split("e")[0]
    assert "-" not in numbers.change(value)


def test_an_end_without_bound_is_named() -> None:
    assert numbers.change_interval(-0.5, math.inf) == "−50.0 % to unbounded"
    assert numbers.change_interval(None, 0.02) == "unbounded to +2.00 %"


@pytest.mark.parametrize(
    ("size", "relative", "of_shares", "shown"),
    [
        (0.05, True, False, "5 %"),
        (0.005, False, True, "0.5 pp"),
        (2.5, False, False, "2.5"),
        (0.025, True, True, "2.5 %"),
    ],
)
def test_a_margin_names_what_it_is_of(size: float, relative: bool, of_shares: bool, shown: str) -> None:
    assert numbers.margin(size, relative=relative, of_shares=of_shares) == shown
