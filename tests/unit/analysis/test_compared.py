"""Which units are compared with which: within the versions in which both arms were live, by closed windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from neonblue.analysis import ArmUnits, ExperimentRows, QuantileRow, ask, interruptions, shown
from neonblue.analysis.rows import Products
from neonblue.analysis.windows import Standstill, standstills
from neonblue.contract.messages import MetricMessage
from neonblue.statistics import Action, Estimate, Method, Status, StatusCode, Verdict
from neonblue.statistics.experiment.shares import reached_share
from tests.unit.analysis.lives import CONVERSION, configuration, counted, day, midnight, rows_of

WEEK = MetricMessage(
    key="conv", type="retention", event_type="visit", aggregation="any", window_start_seconds=604_800,
    window_seconds=691_200,
)  # fmt: skip


def test_a_dropped_arm_is_compared_with_who_could_have_been_in_its_place_and_never_shipped() -> None:
    """A sale in week 1 (20 %), none after it (15 %); u is dropped after week 1 and has no effect."""
    arms = (("control", 1, True), ("t", 1, True), ("u", 1, True))
    first = configuration(1, arms)
    second = configuration(2, (("control", 1, True), ("t", 1, True), ("u", 1, False)))
    moments = [counted(arm, day(1), 3000, 600, 1) for arm in ("control", "t", "u")]
    moments += [counted(arm, day(8), 9000, 1350, 2) for arm in ("control", "t")]

    report = ask({1: first, 2: second}, rows_of(moments), day(20)).answer()
    t, u = report.results

    assert report.decision.action is not Action.SHIP
    assert (t.comparison.n_control, u.comparison.n_control) == (12_000, 3_000)
    assert u.comparison.diff == 0
    assert u.p_value == 1

    winner = [replace(row, sum_value=row.sum_value * 2) if row.variant_key == "u" else row for row in moments]
    winner = [replace(row, sum_squares=row.sum_value) for row in winner]
    better = ask({1: first, 2: second}, rows_of(winner), day(20)).answer()
    assert better.results[1].verdict is Verdict.BETTER
    assert better.decision.action is Action.KEEP_RUNNING


@pytest.mark.parametrize("judged_of_the_last", [True, False])
def test_a_covariate_is_used_within_every_version_also_after_two_arms_were_dropped(
    judged_of_the_last: bool,
) -> None:
    spent = MetricMessage(key="conv", type="mean", event_type="purchase", aggregation="sum")
    arms = ("control", "t", "u", "w")
    before = Products(Decimal(3000), Decimal(12_000), Decimal(11_900))
    moments = [
        replace(
            counted(arm, day(version), 1000, 3000, version, finishes_at=midnight(version + 2)),
            sum_squares=Decimal(13_000),
            covariate=before,
        )
        for version, enrolling in ((1, arms), (2, ("control", "t", "w")), (3, ("control", "t")))
        for arm in enrolling
    ]
    versions = {
        1: configuration(1, [(arm, 1, True) for arm in arms], (spent,)),
        2: configuration(2, [(arm, 1, arm != "u") for arm in arms], (spent,)),
        3: configuration(3, [(arm, 1, arm in ("control", "t")) for arm in arms], (spent,)),
    }

    report = ask(versions, rows_of(moments), day(9 if judged_of_the_last else 3)).answer()

    expected = [3000, 1000, 2000] if judged_of_the_last else [1000, 1000, 1000]
    assert [result.comparison.n_treatment for result in report.results] == expected
    for result in report.results:
        assert isinstance(result.comparison.absolute, Estimate)
        assert result.comparison.absolute.method is Method.CUPED


def test_a_rate_that_falls_as_the_weights_change_is_no_effect() -> None:
    """9:1 at a rate of 20 %, then 1:1 at 5 %."""
    first = configuration(1, (("control", 9, True), ("t", 1, True)), source="external")
    second = configuration(2, (("control", 1, True), ("t", 1, True)), source="external")
    moments = [
        counted("control", day(1), 9000, 1800, 1), counted("t", day(1), 1000, 200, 1),
        counted("control", day(5), 5000, 250, 2), counted("t", day(5), 5000, 250, 2),
    ]  # fmt: skip

    report = ask({1: first, 2: second}, rows_of(moments), day(20)).answer()

    assert report.results[0].comparison.diff == pytest.approx(0, abs=1e-12)
    assert report.results[0].p_value == pytest.approx(1)
    assert report.decision.action is Action.INCONCLUSIVE


def test_a_quantile_over_changed_shares_is_refused_with_the_reason() -> None:
    metric = MetricMessage(key="p90", type="quantile", event_type="load", aggregation="sum", quantile="0.9")
    versions = {
        1: configuration(1, (("control", 9, True), ("t", 1, True)), (metric,)),
        2: configuration(2, (("control", 1, True), ("t", 1, True)), (metric,)),
    }
    units = [
        ArmUnits(1, "control", 900),
        ArmUnits(1, "t", 100),
        ArmUnits(2, "control", 500),
        ArmUnits(2, "t", 500),
    ]
    rows = ExperimentRows(
        quantiles=[QuantileRow("p90", 1, arm, 700, 5.0, 4.8, 5.2) for arm in ("control", "t")], units=units
    )

    test = ask(versions, rows, day(20)).answer().results[0].comparison.absolute

    assert isinstance(test, Status)
    assert test.code is StatusCode.SHARES_CHANGED


def test_the_share_of_the_plan_counts_information_over_a_ramp() -> None:
    first = configuration(1, (("control", 99, True), ("t", 1, True)), planned_units=20_000)
    second = configuration(2, (("control", 1, True), ("t", 1, True)), planned_units=20_000)
    moments = [
        counted("control", day(1), 9900, 99, 1), counted("t", day(1), 100, 1, 1),
        counted("control", day(5), 5000, 50, 2), counted("t", day(5), 5000, 50, 2),
    ]  # fmt: skip
    experiment = ask({1: first, 2: second}, rows_of(moments), day(9)).experiment

    share = reached_share(experiment, "conv", "t", 20_000)

    # 10,000 units at 99:1 are worth 396 at 1:1.
    assert share == pytest.approx((10_000 * 0.0099 + 10_000 * 0.25) / (20_000 * 0.25))


def test_after_an_arm_was_dropped_the_others_reach_the_plan_they_had() -> None:
    first = configuration(1, (("control", 1, True), ("t", 1, True), ("u", 1, True)), planned_units=30_000)
    second = configuration(2, (("control", 1, True), ("t", 1, True), ("u", 1, False)), planned_units=30_000)
    moments = [counted(arm, day(1), 2000, 100, 1) for arm in ("control", "t", "u")]
    before = ask({1: first}, rows_of(moments), day(9)).experiment
    moments += [counted(arm, day(5), 8000, 400, 2) for arm in ("control", "t")]
    after = ask({1: first, 2: second}, rows_of(moments), day(9)).experiment

    assert reached_share(before, "conv", "t", 30_000) == pytest.approx(0.2)
    assert reached_share(after, "conv", "t", 30_000) == pytest.approx(1.0)
    assert reached_share(after, "conv", "u", 30_000) == pytest.approx(0.2)


def test_units_too_young_to_answer_do_not_count_as_no() -> None:
    experiment = configuration(source="external", metrics=(WEEK,))
    moments = [
        row
        for arm in ("control", "t")
        for row in (
            counted(arm, day(1), 100, 50, finishes_at=midnight(9) + timedelta(hours=1)),
            counted(arm, day(20), 100, 0, finishes_at=midnight(28) + timedelta(hours=10)),
        )
    ]

    question = ask({1: experiment}, rows_of(moments), day(20), now=midnight(20) + timedelta(hours=12))
    (result,) = question.answer().results

    assert (result.comparison.mean_control, result.comparison.mean_treatment) == (0.5, 0.5)
    assert (result.comparison.n_control, result.comparison.n_treatment) == (100, 100)
    assert sum(each.units for each in question.unfinished.values()) == 200
    assert question.unfinished["conv", "t"].mean == 0


@pytest.mark.parametrize("planned", [None, 2000])
def test_the_one_test_of_imported_data_waits_until_every_window_has_ended(planned: int | None) -> None:
    """The young units may turn the answer: what was "better" of the others would be taken back a day later."""
    experiment = configuration(source="external", metrics=(WEEK,), planned_units=planned)
    moments = [
        counted(arm, day(entered), 1000, x, finishes_at=midnight(entered + 8))
        for entered, found in ((1, (100, 200)), (3, (200, 100)))
        for arm, x in zip(("control", "t"), found, strict=True)
    ]

    early, whole = (ask({1: experiment}, rows_of(moments), day(today)).answer() for today in (9, 11))

    assert early.decision.action is Action.KEEP_RUNNING
    assert early.decision.sentence == (
        "Not yet: the windows of 2,000 units are open. One test decides once they have ended or it is concluded."
    )
    assert [result.verdict for result in early.results] == [Verdict.UNDECIDED]
    assert early.results[0].p_value is None
    assert whole.decision.action is Action.INCONCLUSIVE
    assert whole.results[0].comparison.n_treatment == 2000


def test_few_units_of_imported_data_wait_for_windows_and_for_no_number_of_units() -> None:
    """What they show so far would read like a result; 200 units are not needed for the one test of all."""
    experiment = configuration(source="external", metrics=(WEEK,))
    moments = [
        counted(arm, day(entered), 30, x, finishes_at=midnight(entered + 8))
        for entered, x in ((1, 3), (3, 9))
        for arm in ("control", "t")
    ]

    question = ask({1: experiment}, rows_of(moments), day(9))
    (result,) = shown(question, question.answer()).results

    assert isinstance(result.comparison.absolute, Status)
    assert result.comparison.absolute.message == question.waiting
    assert result.comparison.diff is None
    later = ask({1: experiment}, rows_of(moments), day(11))
    assert isinstance(shown(later, later.answer()).results[0].comparison.absolute, Estimate)


@pytest.mark.parametrize("paused", [False, True])
def test_imported_quantiles_wait_for_their_windows_but_for_none_that_a_pause_cut(paused: bool) -> None:
    median = MetricMessage(
        key="conv",
        type="quantile",
        event_type="visit",
        aggregation="sum",
        quantile="0.5",
        window_seconds=86_400,
    )
    versions = {
        number: configuration(number, source="external", metrics=(median,), status=status)
        for number, status in enumerate(("running", "paused" if paused else "running", "running"), start=1)
    }
    quantiles = [
        QuantileRow("conv", 1, arm, 900, 10.0, 9.0, 11.0, unfinished=100) for arm in ("control", "t")
    ]

    question = ask(versions, ExperimentRows(quantiles=quantiles), day(9))

    assert question.waits is not paused
    assert (question.answer().decision.action is Action.KEEP_RUNNING) is not paused


def test_a_look_of_a_windowed_metric_judges_who_had_finished_by_the_days_end() -> None:
    experiment = configuration(planned_units=4_000, metrics=(WEEK,))
    moments = [
        counted(arm, day(d), 250, x, finishes_at=midnight(d + 8) + timedelta(hours=12))
        for d in range(1, 8)
        for arm, x in (("control", 50), ("t", 60))
    ]

    early = ask({1: experiment}, rows_of(moments), day(8)).answer().results[0]
    # Day 11 is open: who entered on the first two days has finished by its begin.
    later = ask({1: experiment}, rows_of(moments), day(11)).answer().results[0]

    assert isinstance(early.comparison.absolute, Status)
    assert (later.comparison.n_control, later.comparison.n_treatment) == (500, 500)
    assert isinstance(later.comparison.absolute, Estimate)


def test_a_window_that_a_pause_cut_never_counts() -> None:
    experiment = configuration(source="external", metrics=(WEEK,))
    whole = [counted(arm, day(1), 100, 40, finishes_at=midnight(9)) for arm in ("control", "t")]
    cut = [counted(arm, day(3), 100, 0, finishes_at=midnight(11), cut_short=True) for arm in ("control", "t")]

    question = ask({1: experiment}, rows_of([*whole, *cut]), day(30))

    assert question.answer().results[0].comparison.mean_control == 0.4
    assert question.unfinished["conv", "control"].units == 100


def test_every_pause_and_the_conclusion_interrupt_what_units_are_served() -> None:
    at = "2026-03-{:02}T10:00:00.000000Z".format
    versions = {
        number: configuration(number, status=status, received_at=at(number), concluded_at=ended)
        for number, status, ended in (
            (1, "draft", None), (2, "running", None), (3, "paused", None), (4, "paused", None), (5, "running", None),
            (6, "running", None), (7, "concluded", at(6)), (8, "concluded", at(6)), (9, "archived", at(6)),
        )
    }  # fmt: skip

    found = interruptions(versions)

    assert found == [datetime(2026, 3, 3, 10, tzinfo=UTC), datetime(2026, 3, 6, 10, tzinfo=UTC)]
    assert interruptions({8: versions[8]}) == [datetime(2026, 3, 6, 10, tzinfo=UTC)]
    assert interruptions({1: versions[1]}) == []
    assert standstills(versions) == [
        Standstill(datetime(2026, 3, 3, 10, tzinfo=UTC), datetime(2026, 3, 5, 10, tzinfo=UTC)),
        Standstill(datetime(2026, 3, 6, 10, tzinfo=UTC)),
    ]


def test_units_without_a_value_are_left_out_and_counted() -> None:
    rating = MetricMessage(
        key="rating", type="mean", event_type="rated", aggregation="sum", missing="exclude", cuped=False
    )
    experiment = configuration(source="external", metrics=(rating,))
    moments = [
        counted("control", day(1), 40, 160, metric="rating", missing=160),
        counted("t", day(1), 120, 480, metric="rating", missing=80),
    ]
    moments = [replace(row, sum_squares=row.sum_value * 4 + row.n) for row in moments]

    question = ask({1: experiment}, rows_of(moments, "rating"), day(9))
    (result,) = question.answer().results

    assert (result.comparison.mean_control, result.comparison.mean_treatment) == (4.0, 4.0)
    assert question.experiment.missing == {("rating", "control"): 160, ("rating", "t"): 80}
    assert question.experiment.units == 400
    assert CONVERSION.missing == "zero"


def test_where_every_treatment_was_dropped_nothing_is_waited_for() -> None:
    first = configuration(1, planned_units=20_000)
    second = configuration(2, (("control", 1, True), ("t", 1, False)), planned_units=20_000)
    moments = [counted(arm, day(1), 1000, 100, 1) for arm in ("control", "t")]

    decision = ask({1: first, 2: second}, rows_of(moments), day(9)).answer().decision

    assert decision.action is Action.INCONCLUSIVE
    assert decision.sentence == "No decision: every treatment was dropped."


def test_units_without_a_value_of_a_quantile_are_counted_once() -> None:
    """They stand in the sums, which every metric has, and beside the quantile."""
    metric = MetricMessage(
        key="p90", type="quantile", event_type="load", aggregation="sum", quantile="0.9", missing="exclude"
    )
    moments = [counted(arm, day(1), 700, 0, metric="p90", missing=300) for arm in ("control", "t")]
    quantiles = [QuantileRow("p90", 1, arm, 700, 5.0, 4.8, 5.2, missing=300) for arm in ("control", "t")]
    rows = replace(rows_of(moments, "p90"), quantiles=quantiles)

    question = ask({1: configuration(metrics=(metric,))}, rows, day(20))

    assert question.experiment.missing == {("p90", "control"): 300, ("p90", "t"): 300}


def test_what_unfinished_units_have_so_far_is_the_metrics_own_value() -> None:
    """A ratio is one of sums; a quantile does not follow from sums, and has none."""
    ratio = MetricMessage(
        key="ratio", type="ratio", event_type="purchase", aggregation="sum", window_seconds=86_400
    )
    p90 = MetricMessage(
        key="p90",
        type="quantile",
        event_type="load",
        aggregation="sum",
        quantile="0.9",
        window_seconds=86_400,
    )
    below = Products(Decimal(50), Decimal(50), Decimal(200))
    moments = [
        counted("t", day(20), 100, 200, metric=key, denominator=known, finishes_at=midnight(22))
        for key, known in (("ratio", below), ("p90", None))
    ]
    without = counted("control", day(20), 100, 0, metric="ratio", denominator=Products(*3 * [Decimal(0)]))
    moments.append(replace(without, finishes_at=midnight(22)))

    question = ask({1: configuration(metrics=(ratio, p90))}, rows_of(moments, "ratio"), day(20))

    assert {cell: (each.units, each.mean) for cell, each in question.unfinished.items()} == {
        ("ratio", "t"): (100, 4.0),
        ("p90", "t"): (100, None),
        ("ratio", "control"): (100, None),
    }
