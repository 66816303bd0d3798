"""The question put to the statistics engine: which arms and units, under which plan, and what is said of nothing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, QuantileRow, ask
from neonblue.analysis.rows import Products
from neonblue.contract.messages import DenominatorMessage, ExperimentMessage, MetricMessage, VariantMessage
from neonblue.statistics import (
    Action,
    CovariateMoments,
    Estimate,
    Inference,
    Moments,
    RatioMoments,
    Status,
    Verdict,
)
from orchestration.defs.significance.analysis import ResultRow, result_rows

METRIC = MetricMessage(key="retention_7", type="proportion", event_type="retained", aggregation="any")
DAY = date(2026, 3, 1)
TODAY = date(2026, 4, 1)


def experiment(
    version: int = 1,
    weights: tuple[int, ...] = (1, 1),
    metrics: tuple[MetricMessage, ...] = (METRIC,),
    **fields: Any,
) -> ExperimentMessage:
    return ExperimentMessage(
        experiment_id=1,
        key="gate",
        unit_type="user",
        population="exposed",
        version=version,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key=f"arm_{place}", weight=weight, is_control=place == 0)
            for place, weight in enumerate(weights)
        ],
        metrics=list(metrics),
        received_at="2026-01-01T00:00:00.000000Z",
        **{"source": "external", "status": "running", **fields},
    )


def arm(variant: str, successes: int, n: int, day: date = DAY) -> MomentRow:
    return MomentRow("retention_7", 1, variant, 1, day, n, Decimal(successes), Decimal(successes))


def results(configurations: dict[int, ExperimentMessage], rows: ExperimentRows) -> list[ResultRow]:
    question = ask(configurations, rows, TODAY)
    return result_rows(question, question.answer())


def test_known_counts_give_the_published_p_values() -> None:
    (row,) = results(
        {1: experiment()},
        ExperimentRows(
            [arm("arm_0", 8502, 44_700), arm("arm_1", 8279, 45_489)],
            units=[ArmUnits(1, "arm_0", 44_700), ArmUnits(1, "arm_1", 45_489)],
        ),
    )

    assert row.p_value == pytest.approx(0.00155, abs=1e-5)
    assert row.sample_ratio_p == pytest.approx(0.0086, abs=5e-5)
    assert row.sample_ratio_status == "healthy"
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert row.ci_low < row.ci_high < 0
    assert row.status == "ok"
    assert row.verdict == "worse"


def test_every_treatment_is_compared_with_control() -> None:
    rows = results(
        {1: experiment(weights=(1, 1, 1))},
        ExperimentRows(
            [arm(f"arm_{place}", 100 + place * 50, 1000) for place in range(3)],
            units=[ArmUnits(1, f"arm_{place}", 1000) for place in range(3)],
        ),
    )

    assert [(row.control_variant, row.variant_key) for row in rows] == [
        ("arm_0", "arm_1"),
        ("arm_0", "arm_2"),
    ]


def test_two_treatments_are_judged_together() -> None:
    rows = results(
        {1: experiment(weights=(1, 1, 1))},
        ExperimentRows([arm("arm_0", 100, 1000), arm("arm_1", 130, 1000), arm("arm_2", 101, 1000)]),
    )

    assert rows[0].p_value is not None
    assert rows[0].adjusted_p == pytest.approx(2 * rows[0].p_value)


def test_an_experiment_without_units_has_a_reason_in_place_of_numbers() -> None:
    (row,) = results({1: experiment()}, ExperimentRows())

    assert row.p_value is None
    assert row.ci_low is None
    assert row.status != "ok"
    assert row.status_reason
    assert row.sample_ratio_p is None


def test_a_changed_allocation_does_not_look_like_a_mismatch() -> None:
    (row,) = results(
        {1: experiment(1, (9, 1)), 2: experiment(2, (1, 1))},
        ExperimentRows(
            [arm("arm_0", 100, 1900), arm("arm_1", 60, 1100)],
            units=[
                ArmUnits(1, "arm_0", 900),
                ArmUnits(1, "arm_1", 100),
                ArmUnits(2, "arm_0", 1000),
                ArmUnits(2, "arm_1", 1000),
            ],
        ),
    )

    assert row.sample_ratio_status == "healthy"
    assert row.sample_ratio_p == pytest.approx(1.0)


def test_versions_with_the_same_weights_are_one_allocation() -> None:
    question = ask(
        {1: experiment(1), 2: experiment(2)},
        ExperimentRows(units=[ArmUnits(1, "arm_0", 10), ArmUnits(2, "arm_0", 5), ArmUnits(2, "arm_1", 7)]),
        TODAY,
    )

    (version,) = question.experiment.versions
    assert version.observed == {"arm_0": 15, "arm_1": 7}


def test_a_broken_sample_ratio_is_named_and_makes_the_results_invalid() -> None:
    rows = ExperimentRows(
        [arm("arm_0", 100, 6000), arm("arm_1", 100, 5000)],
        units=[ArmUnits(1, "arm_0", 6000), ArmUnits(1, "arm_1", 5000)],
    )
    (row,) = results({1: experiment()}, rows)

    assert row.sample_ratio_status == "mismatch"
    assert ask({1: experiment()}, rows, TODAY).answer().decision.action is Action.INVALID


def test_a_ratio_metric_takes_its_denominator() -> None:
    ratio = MetricMessage(
        key="per_click",
        type="ratio",
        event_type="purchase",
        aggregation="sum",
        denominator=DenominatorMessage(event_type="click", aggregation="count"),
    )
    random = np.random.default_rng(5)
    rows, expected = [], {}
    for place in (0, 1):
        clicks = random.integers(1, 9, 400)
        spent = clicks * random.integers(1, 5, 400)
        expected[f"arm_{place}"] = RatioMoments.from_values(spent.tolist(), clicks.tolist())
        products = Products(
            *(Decimal(int(v)) for v in (clicks.sum(), (clicks**2).sum(), (clicks * spent).sum()))
        )
        total, squares = Decimal(int(spent.sum())), Decimal(int((spent**2).sum()))
        rows.append(
            MomentRow("per_click", 1, f"arm_{place}", 1, DAY, 400, total, squares, denominator=products)
        )
    question = ask({1: experiment(metrics=(ratio,))}, ExperimentRows(rows), TODAY)

    for name, moments in expected.items():
        found = question.experiment.moments["per_click", name]
        assert isinstance(found, RatioMoments)
        assert found.sum_d == moments.sum_d
        assert found.cross == pytest.approx(moments.cross, rel=1e-12)
    assert isinstance(question.answer().results[0].comparison.absolute, Estimate)


def test_a_covariate_reduces_the_variance_unless_the_metric_declines_it() -> None:
    spent = MetricMessage(key="spent", type="mean", event_type="purchase", aggregation="sum")
    random = np.random.default_rng(7)
    rows = []
    for place in (0, 1):
        before = random.integers(0, 100, 500)
        after = before + random.integers(0, 10, 500)
        products = Products(
            *(Decimal(int(v)) for v in (before.sum(), (before**2).sum(), (before * after).sum()))
        )
        total, squares = Decimal(int(after.sum())), Decimal(int((after**2).sum()))
        rows.append(MomentRow("spent", 1, f"arm_{place}", 1, DAY, 500, total, squares, covariate=products))

    def half_width(cuped: bool) -> float:
        metric = MetricMessage(
            key="spent", type="mean", event_type="purchase", aggregation="sum", cuped=cuped
        )
        question = ask({1: experiment(metrics=(metric,))}, ExperimentRows(rows), TODAY)
        kind = CovariateMoments if cuped else Moments
        assert isinstance(question.experiment.moments["spent", "arm_1"], kind)
        test = question.answer().results[0].comparison.absolute
        assert isinstance(test, Estimate)
        return test.interval.upper - test.interval.lower

    assert spent.cuped
    assert half_width(True) < half_width(False) / 5


def test_a_quantile_metric_takes_its_order_statistics() -> None:
    metric = MetricMessage(key="p90", type="quantile", event_type="load", aggregation="sum", quantile="0.9")
    rows = [
        QuantileRow("p90", 1, f"arm_{place}", 1000, 5.0 + place, 4.8 + place, 5.2 + place) for place in (0, 1)
    ]
    (row,) = results({1: experiment(metrics=(metric,))}, ExperimentRows(quantiles=rows))

    assert row.difference == 1.0
    assert row.method == "quantile"


def test_an_interpolated_quantile_is_labelled() -> None:
    metric = MetricMessage(key="p90", type="quantile", event_type="load", aggregation="sum", quantile="0.9")
    rows = [
        QuantileRow("p90", 1, f"arm_{place}", 1000, 5.2 + place, 4.8 + place, 5.6 + place, interpolated=True)
        for place in (0, 1)
    ]
    (row,) = results({1: experiment(metrics=(metric,))}, ExperimentRows(quantiles=rows))

    assert row.method == "interpolated_quantile"


@pytest.mark.parametrize(
    ("cap", "reason"),
    [
        (
            "0.999",
            "Under the 99.9 % cap every unit has the value 0.00: either none has another yet, or the percentile is too "
            "low.",
        ),
        (None, ""),
    ],
)
def test_a_cap_under_which_all_are_alike_is_the_reason(cap: str | None, reason: str) -> None:
    metric = MetricMessage(
        key="spent", type="mean", event_type="purchase", aggregation="sum", cap_percentile=cap
    )
    rows = [MomentRow("spent", 1, f"arm_{place}", 1, DAY, 5000, Decimal(0), Decimal(0)) for place in (0, 1)]
    (row,) = results({1: experiment(metrics=(metric,))}, ExperimentRows(rows))

    assert (row.status, row.p_value) == ("zero_variance", None)
    assert row.status_reason.startswith(reason)
    assert ("cap" in row.status_reason) == (cap is not None)


def test_a_running_experiment_without_a_planned_size_is_judged_by_a_confidence_sequence() -> None:
    configuration = experiment(source="internal", inference="confidence_sequence")
    (row,) = results({1: configuration}, ExperimentRows([arm("arm_0", 300, 2000), arm("arm_1", 350, 2000)]))

    assert row.inference == "confidence_sequence"
    assert row.p_value is not None
    assert row.look_p_value is not None
    assert row.look_p_value < 0.05 < row.p_value
    assert row.verdict == "undecided"


def sequential(planned: int, status: str = "running") -> ExperimentMessage:
    return experiment(source="internal", inference="group_sequential", planned_units=planned, status=status)


def test_a_group_sequential_plan_spends_its_error_over_the_closed_days() -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    rows = [
        arm(name, 100 + 12 * place, 1000, day)
        for place, name in enumerate(("arm_0", "arm_1"))
        for day in days
    ]
    early = results({1: sequential(16_000)}, ExperimentRows(rows[:1] + rows[4:5]))[0]
    half = results({1: sequential(16_000)}, ExperimentRows(rows))[0]
    ended = results({1: sequential(8_000)}, ExperimentRows(rows))[0]

    assert early.p_value is not None
    assert half.look_p_value is not None
    assert half.p_value is not None
    assert ended.p_value is not None
    assert early.p_value == pytest.approx(1.0, abs=0.05)
    # O'Brien and Fleming keep nearly everything for the end: there the p-value is close to the look's own.
    assert half.look_p_value < ended.p_value < 1.3 * half.look_p_value < half.p_value


def test_units_that_entered_on_the_open_day_wait_for_its_end() -> None:
    rows = [
        arm("arm_0", 10, 100),
        arm("arm_1", 10, 100),
        arm("arm_0", 5, 50, TODAY),
        arm("arm_1", 9, 50, TODAY),
    ]

    open_day = results({1: sequential(1000)}, ExperimentRows(rows))[0]
    concluded = results({1: sequential(1000, "concluded")}, ExperimentRows(rows))[0]

    assert (open_day.n_control, open_day.n_variant) == (100, 100)
    assert (concluded.n_control, concluded.n_variant) == (150, 150)


def test_a_sequential_verdict_agrees_with_its_interval() -> None:
    for lift in range(0, 60, 5):
        rows = [arm("arm_0", 200, 2000), arm("arm_1", 200 + lift, 2000)]
        (row,) = results({1: sequential(6000)}, ExperimentRows(rows))
        assert row.ci_low is not None
        assert (row.verdict == Verdict.BETTER.value) == (row.ci_low > 0)


def test_a_group_sequential_plan_without_units_has_a_status() -> None:
    guardrail = MetricMessage(
        key="errors", type="mean", role="guardrail", event_type="error", aggregation="count", margin="0.1"
    )
    configuration = experiment(
        source="internal", inference="group_sequential", planned_units=100, metrics=(guardrail,)
    )
    question = ask({1: configuration}, ExperimentRows(), TODAY)

    assert question.plan.inference is Inference.GROUP_SEQUENTIAL
    assert isinstance(question.answer().results[0].comparison.absolute, Status)
