"""The plan's end, and a conclusion before it."""

from __future__ import annotations

import numpy as np
import pytest

from neonblue.analysis import ask
from neonblue.contract.messages import MetricMessage
from neonblue.statistics import Action, Estimate, Verdict
from tests.unit.analysis.lives import configuration, counted, day, rows_of
from tests.unit.analysis.platform_runs import Platform, of_rate
from tests.unit.statistics import reference


def test_a_planned_verdict_stands_after_the_planned_size() -> None:
    """Days of 1,100 units an arm, 10 % against 13 %, planned 20,000."""
    case = reference.edge_cases("group_sequential_platform")[0]
    given, expected = case.inputs, case.expected
    arms = {"control": given["per_day"]["successes_control"], "t": given["per_day"]["successes_treatment"]}
    n = given["per_day"]["units_per_arm"]
    experiment = configuration(planned_units=given["planned_units"])

    for closed in range(1, given["days"] + 1):
        moments = [counted(arm, day(d), n, x) for d in range(1, closed + 1) for arm, x in arms.items()]
        report = ask({1: experiment}, rows_of(moments), day(closed + 1)).answer()
        (result,) = report.results
        test = result.comparison.absolute
        assert isinstance(test, Estimate)
        if str(closed) in expected["action_on_day"]:
            assert report.decision.action.value == expected["action_on_day"][str(closed)], closed
            assert result.p_value is not None
            assert result.p_value <= expected["p_value_on_day_11_at_most"]
            assert test.interval.lower > 0
            assert test.statistic == pytest.approx(expected["z_fixed"][str(closed)], rel=1e-9)
        assert result.final == (closed >= expected["first_day_at_or_past_plan"])


def test_the_same_verdict_stands_once_the_experiment_is_concluded() -> None:
    moments = [
        counted(arm, day(d), 1100, x) for d in range(1, 13) for arm, x in (("control", 110), ("t", 143))
    ]
    running = configuration(planned_units=20_000)
    concluded = configuration(
        2, planned_units=20_000, status="concluded", concluded_at="2026-03-13T09:00:00.000000Z"
    )

    report = ask({1: running, 2: concluded}, rows_of(moments), day(14)).answer()

    assert report.decision.action is Action.SHIP
    assert report.results[0].verdict is Verdict.BETTER


def test_a_conclusion_before_the_plan_spends_what_its_share_allows() -> None:
    running = configuration(planned_units=20_000)
    concluded = configuration(
        2, planned_units=20_000, status="concluded", concluded_at="2026-03-04T10:00:00.000000Z"
    )
    moments = of_rate(0.10, 0.1215, 3)  # |z| about 2.1 at share 0.3
    platform = Platform(running, concluded)
    before = platform.page(moments, 4).decision

    report = platform.decide(moments, 5)

    assert "the next decision run takes its last look" in before.sentence
    assert report.decision.action is Action.INCONCLUSIVE
    assert "not decided" in report.decision.sentence
    assert platform.page(moments, 5).decision == report.decision
    assert platform.looks[0].cells[0].spent < 0.001
    assert platform.looks[0].closed_to == "2026-03-04T10:00:00.000000Z"
    assert platform.decide(moments, 6).decision == report.decision
    assert len(platform.looks) == 1


def test_an_owner_who_peeks_and_concludes_at_two_standard_errors_gains_nothing() -> None:
    generator = np.random.default_rng(1)
    shipped = 0
    for _ in range(200):
        control, treatment = (generator.binomial(500, 0.1, 20).cumsum() for _ in range(2))
        n = 500 * np.arange(1, 21)
        pooled = (control + treatment) / (2 * n)
        z = (treatment - control) / n / np.sqrt(2 * pooled * (1 - pooled) / n)
        stop = next((d for d in range(2, 20) if abs(z[d]) >= 2), 19)
        moments = [
            counted(arm, day(d + 1), 500, int(x[d] - (x[d - 1] if d else 0)))
            for d in range(stop + 1)
            for arm, x in (("control", control), ("t", treatment))
        ]
        concluded = configuration(planned_units=20_000, status="concluded")
        report = ask({1: concluded}, rows_of(moments), day(stop + 3)).answer()
        shipped += report.decision.action in (Action.SHIP, Action.ROLL_BACK)

    assert shipped <= 22  # 5 % of 200, and three standard errors


def test_a_fixed_plan_is_harmed_by_nothing_before_its_end() -> None:
    from neonblue.statistics import Experiment, Inference, Metric, MetricKind, Moments, Plan, Role, analyze

    guard = Metric("guard", MetricKind.MEAN, Role.GUARDRAIL, margin=0.05, margin_relative=True)
    moments = {
        ("guard", "a"): Moments(500, 500 * 10.0, 500 * 104.0),
        ("guard", "b"): Moments(500, 500 * 4.0, 500 * 20.0),
    }
    experiment = Experiment("a", ("a", "b"), (guard,), moments)

    early = analyze(experiment, Plan(inference=Inference.FIXED, planned_units=100_000))
    at_the_end = analyze(experiment, Plan(inference=Inference.FIXED, planned_units=1_000))

    assert early.decision.action is Action.KEEP_RUNNING
    assert early.results[0].guardrail_state is None
    assert at_the_end.decision.action is Action.ROLL_BACK


def test_a_last_look_that_finds_nothing_to_test_with_is_the_last_one_all_the_same() -> None:
    platform = Platform(configuration(planned_units=4_000))
    decided = platform.decide(of_rate(0, 0, 2), 3)

    page = platform.page(of_rate(0, 0, 2), 3)
    later = platform.decide(of_rate(0, 0.1, 3), 4)

    assert decided.decision.action is Action.INCONCLUSIVE
    assert page.decision.action is Action.INCONCLUSIVE
    assert later.decision.action is Action.INCONCLUSIVE
    assert len(platform.looks) == 1


def test_after_the_last_look_a_conclusion_promises_no_other() -> None:
    platform = Platform(configuration(planned_units=4_000))
    platform.decide(of_rate(0.1, 0.1, 2), 3)
    platform.configurations[2] = configuration(
        2, planned_units=4_000, status="concluded", concluded_at="2026-03-03T10:00:00.000000Z"
    )

    page = platform.page(of_rate(0.1, 0.1, 3), 3)

    assert page.decision.action is Action.INCONCLUSIVE
    assert "last look" not in page.decision.sentence


def test_a_conclusion_with_nothing_new_promises_no_look() -> None:
    platform = Platform(configuration(planned_units=20_000))
    platform.decide(of_rate(0.1, 0.1, 2), 3)
    platform.configurations[2] = configuration(
        2, planned_units=20_000, status="concluded", concluded_at="2026-03-03T10:00:00.000000Z"
    )

    decided = platform.decide(of_rate(0.1, 0.1, 2), 4)

    assert platform.page(of_rate(0.1, 0.1, 2), 4).decision == decided.decision
    assert len(platform.looks) == 1


def test_the_last_look_waits_until_all_up_to_the_conclusion_is_counted() -> None:
    platform = Platform(
        configuration(planned_units=20_000, status="concluded", concluded_at="2026-03-03T10:00:00.000000Z")
    )

    early = platform.decide(of_rate(0.1, 0.1, 2), 3, hours=9.5)
    assert platform.looks == []
    assert "the next decision run takes its last look" in early.decision.sentence

    platform.decide(of_rate(0.1, 0.1, 3), 3, hours=10.5)
    assert len(platform.looks) == 1


def test_units_that_are_not_looked_at_yet_end_no_plan() -> None:
    errors = MetricMessage(
        key="conv", type="proportion", role="guardrail", event_type="error", aggregation="any"
    )
    platform = Platform(configuration(planned_units=4_000, metrics=(errors,)))
    platform.decide(of_rate(0.1, 0.1, 1), 2)

    assert platform.page(of_rate(0.1, 0.1, 2), 2).decision.action is Action.KEEP_RUNNING
    assert platform.decide(of_rate(0.1, 0.1, 2), 3).decision.action is Action.INCONCLUSIVE
