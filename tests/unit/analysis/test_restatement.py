"""What is said of a published result whose units say something else today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.analysis import MomentRow
from neonblue.analysis.restatement import Cause, Published, restatements
from neonblue.analysis.rows import Products
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage

DAY = date(2026, 2, 1)
LONG_AFTER = datetime(2026, 3, 1, tzinfo=UTC)
METRIC = MetricMessage(
    key="bought", type="proportion", event_type="purchase", aggregation="any", window_seconds=86_400
)
EXPERIMENT = ExperimentMessage(
    experiment_id=1,
    key="checkout",
    source="internal",
    unit_type="user",
    population="exposed",
    status="running",
    version=1,
    salt="s",
    allocation=10_000,
    variants=[VariantMessage(key="control", weight=1, is_control=True), VariantMessage(key="blue", weight=1)],
    metrics=[METRIC],
    received_at="2026-02-01T00:00:00.000000Z",
)
ROW = MomentRow("bought", 1, "blue", 1, DAY, 100, Decimal(20), Decimal(20))


def published(*rows: MomentRow, at: datetime = LONG_AFTER) -> Published:
    return Published(EXPERIMENT, rows or (ROW,), at, "1.0")


def causes(now: list[MomentRow], code: str = "1.0", at: datetime = LONG_AFTER) -> list[str]:
    return [item.cause for item in restatements(published(at=at), EXPERIMENT, now, code)]


def test_the_same_sums_are_no_restatement() -> None:
    assert causes([ROW]) == []


def test_units_of_later_days_are_no_restatement() -> None:
    assert causes([ROW, replace(ROW, exposure_date=DAY + timedelta(days=1), n=7)]) == []


def test_rows_that_are_cut_otherwise_by_configuration_version_are_no_restatement() -> None:
    half = replace(ROW, n=50, sum_value=Decimal(10), sum_squares=Decimal(10))
    assert causes([half, replace(half, version=2)]) == []


def test_one_more_purchase_of_the_same_units_came_late() -> None:
    (item,) = restatements(
        published(), EXPERIMENT, [replace(ROW, sum_value=Decimal(21), sum_squares=Decimal(21))], "1.0"
    )
    assert (item.cause, item.days) == (Cause.LATE_EVENTS, (DAY,))
    assert (item.mean_published, item.mean_now) == (0.2, 0.21)


@pytest.mark.parametrize(("n", "cause"), [(101, Cause.UNITS_ADDED), (99, Cause.UNITS_REMOVED)])
def test_units_that_came_or_went_are_named(n: int, cause: Cause) -> None:
    assert causes([replace(ROW, n=n)]) == [cause]


def of_those_with_a_value(n: int, missing: int) -> list[str]:
    """What is said where 95 of 100 units had a value when it was published."""
    then = replace(ROW, n=95, missing=5)
    now = replace(ROW, n=n, missing=missing)
    return [item.cause for item in restatements(published(then), EXPERIMENT, [now], "1.0")]


def test_a_unit_that_has_a_value_by_now_was_there_before() -> None:
    assert of_those_with_a_value(96, 4) == [Cause.LATE_EVENTS]
    assert of_those_with_a_value(96, 5) == [Cause.UNITS_ADDED]


def test_a_unit_without_a_value_that_went_is_told_too() -> None:
    assert of_those_with_a_value(95, 4) == [Cause.UNITS_REMOVED]
    assert of_those_with_a_value(95, 5) == []


RATIO = replace(ROW, denominator=Products(Decimal(50), Decimal(30), Decimal(12)))


def test_a_ratio_is_restated_by_its_denominator_alone() -> None:
    now = replace(RATIO, denominator=Products(Decimal(80), Decimal(60), Decimal(20)))

    (item,) = restatements(published(RATIO), EXPERIMENT, [now], "1.0")

    assert (item.cause, item.mean_published, item.mean_now) == (Cause.LATE_EVENTS, 0.4, 0.25)
    assert restatements(published(RATIO), EXPERIMENT, [RATIO], "1.0") == ()
    nothing = replace(RATIO, denominator=Products(Decimal(0), Decimal(0), Decimal(0)))
    (item,) = restatements(published(RATIO), EXPERIMENT, [nothing], "1.0")
    assert item.mean_now is None


def test_what_was_done_before_the_exposure_is_a_part_of_the_result() -> None:
    then = replace(ROW, covariate=Products(Decimal(5), Decimal(5), Decimal(2)))

    (item,) = restatements(published(then), EXPERIMENT, [ROW], "1.0")

    assert (item.cause, item.mean_published, item.mean_now) == (Cause.LATE_EVENTS, 0.2, 0.2)


def test_a_day_that_vanished_lost_its_units() -> None:
    assert causes([]) == [Cause.UNITS_REMOVED]


def test_within_the_window_a_change_was_to_be_expected() -> None:
    still_open = datetime(2026, 2, 2, 23, tzinfo=UTC)
    assert causes([replace(ROW, sum_value=Decimal(30))], at=still_open) == [Cause.WINDOW_OPEN]
    assert causes([replace(ROW, sum_value=Decimal(30))], at=still_open + timedelta(hours=1)) == [
        Cause.LATE_EVENTS
    ]


def test_other_sums_from_other_code_are_the_codes() -> None:
    assert causes([replace(ROW, sum_value=Decimal(30))], code="1.1") == [Cause.CODE_CHANGED]


def test_another_definition_of_the_metric_is_named_before_all() -> None:
    changed = msgspec.structs.replace(EXPERIMENT, metrics=[msgspec.structs.replace(METRIC, version=2)])
    (item,) = restatements(published(), changed, [replace(ROW, metric_version=2, n=5)], "1.1")
    assert item.cause == Cause.METRIC_CHANGED


def test_a_metric_that_is_no_more_has_no_numbers_now() -> None:
    (item,) = restatements(published(), msgspec.structs.replace(EXPERIMENT, metrics=[]), [ROW], "1.0")
    assert (item.cause, item.n_now, item.mean_now) == (Cause.METRIC_REMOVED, None, None)


_rows = st.lists(
    st.builds(
        MomentRow,
        st.just("bought"),
        st.just(1),
        st.sampled_from(["control", "blue"]),
        st.integers(1, 3),
        st.dates(DAY, DAY + timedelta(days=5)),
        st.integers(1, 50),
        st.decimals(0, 100, places=6),
        st.decimals(0, 100, places=6),
    ),
    min_size=1,
)


@given(_rows, st.randoms())
def test_the_order_of_rows_means_nothing_and_sums_differ_only_where_they_do(
    rows: list[MomentRow], chance: object
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert restatements(published(*rows), EXPERIMENT, shuffled, "1.0") == ()
    more = [replace(rows[0], n=rows[0].n + 1), *rows[1:]]
    (item,) = restatements(published(*rows), EXPERIMENT, more, "1.0")
    assert (item.variant_key, item.days) == (rows[0].variant_key, (rows[0].exposure_date,))
