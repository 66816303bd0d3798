"""A row of the warehouse's sums is read in one way, whoever asks for it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from neonblue.analysis import MomentRow
from neonblue.analysis.rows import Products

DAY, UNTIL = date(2026, 3, 1), datetime(2026, 3, 8, tzinfo=UTC)
NAMES = ("spent", 2, "blue", 3, DAY)
BELOW = (Decimal(9), Decimal(27), Decimal(31))
BEFORE = (Decimal(4), Decimal(8), Decimal(12))
NOTHING = (Decimal("0.000000"),) * 3


def row(before: tuple[Decimal, ...], until: datetime | None = UNTIL) -> list[Any]:
    """ClickHouse gives times of UTC without saying so."""
    return [
        *NAMES,
        until and until.replace(tzinfo=None),
        1,
        5,
        2,
        Decimal(10),
        Decimal(30),
        *BELOW,
        *before,
        7,
    ]


def test_each_column_finds_its_field() -> None:
    assert MomentRow.of(row(BEFORE), ratio=True) == MomentRow(
        metric_key="spent",
        metric_version=2,
        variant_key="blue",
        version=3,
        exposure_date=DAY,
        n=5,
        sum_value=Decimal(10),
        sum_squares=Decimal(30),
        denominator=Products(*BELOW),
        covariate=Products(*BEFORE),
        finishes_at=UNTIL,
        cut_short=True,
        missing=2,
        just_before=7,
    )


def test_what_is_summed_below_belongs_to_a_ratio_alone() -> None:
    assert MomentRow.of(row(BEFORE), ratio=False).denominator is None


def test_covariates_that_are_all_zero_are_none_and_those_that_cancel_out_are_some() -> None:
    assert MomentRow.of(row(NOTHING), ratio=False).covariate is None
    cancelling = (Decimal(0), Decimal(8), Decimal(0))
    assert MomentRow.of(row(cancelling), ratio=False).covariate == Products(*cancelling)


def test_a_metric_without_a_window_never_finishes() -> None:
    assert MomentRow.of(row(BEFORE, until=None), ratio=False).finishes_at is None
