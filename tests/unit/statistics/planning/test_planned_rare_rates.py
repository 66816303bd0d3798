"""A planned test of a rate in lopsided arms waits until the small arm expects two outcomes."""

from __future__ import annotations

import pytest

from neonblue.analysis.standings import standing_after
from neonblue.statistics import (
    Action,
    Direction,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    MetricResult,
    Moments,
    Plan,
    Role,
    Status,
    StatusCode,
    Verdict,
    analyze,
)
from neonblue.statistics.experiment.analysis import Standings, analyze_metrics
from neonblue.statistics.experiment.inference import Sample, rule_for
from neonblue.statistics.experiment.standing import NOTHING, GuardrailState

PLAN = Plan(inference=Inference.GROUP_SEQUENTIAL, planned_units=20_000)
SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)
GUARDED = Metric(
    "sales",
    MetricKind.PROPORTION,
    Role.GUARDRAIL,
    Direction.LOWER_IS_BETTER,
    margin=0.05,
    margin_relative=False,
)


def of(control: tuple[int, int], treatment: tuple[int, int], metric: Metric = SALES) -> Experiment:
    arms = {"a": control, "b": treatment}
    moments = {("sales", arm): Moments.proportion(*counts) for arm, counts in arms.items()}
    return Experiment("a", ("a", "b"), (metric,), moments)


def look(experiment: Experiment, standings: Standings | None = None, plan: Plan = PLAN) -> MetricResult:
    (result,) = analyze_metrics(experiment, plan, standings)
    return result


def after(result: MetricResult) -> Standings:
    return {("sales", "b"): standing_after(NOTHING, result, PLAN)}


FEW = of((10, 9_500), (5, 500))  # 0.75 outcomes expected: z is 5.0
ENDED = of((19, 19_000), (8, 1_000))


def test_a_lone_burst_in_a_small_arm_is_not_judged_and_spends_nothing() -> None:
    result = look(FEW)

    assert (result.p_value, result.verdict, result.looked) == (None, Verdict.UNKNOWN, None)
    assert result.waits is not None
    assert result.waits.code is StatusCode.TOO_EARLY
    assert "0.8 of at least 2 expected outcomes" in result.waits.message
    assert "about 27,000 units" in result.waits.message
    assert result.comparison.absolute == result.waits
    assert after(result) == {("sales", "b"): NOTHING}


@pytest.mark.parametrize("experiment", [FEW, ENDED])
def test_a_page_says_what_the_look_said(experiment: Experiment) -> None:
    taken = look(experiment)

    (page,) = analyze_metrics(experiment, PLAN, after(taken), looking=False)

    assert (page.comparison, page.waits, page.verdict) == (taken.comparison, taken.waits, taken.verdict)


def test_the_look_that_has_outcomes_enough_has_all_the_error_that_was_kept() -> None:
    experiment = of((45, 14_000), (11, 740))

    waited, first = look(experiment, after(look(FEW))), look(experiment)

    assert waited.p_value == first.p_value
    assert waited.verdict is Verdict.BETTER


@pytest.mark.parametrize(
    ("control", "treatment"), [((0, 2_000), (7, 2_000)), ((2, 7_900), (4, 2_000)), ((500, 9_500), (60, 500))]
)
def test_arms_that_are_not_small_or_not_rare_are_judged_at_every_look(
    control: tuple[int, int], treatment: tuple[int, int]
) -> None:
    result = look(of(control, treatment))

    assert result.p_value is not None
    assert result.looked is not None
    assert result.waits is None


def test_a_plan_that_ends_with_too_few_outcomes_says_so_and_nothing_else() -> None:
    report = analyze(ENDED, PLAN)

    (result,) = report.results
    assert report.decision.action is Action.INCONCLUSIVE
    assert "Too few outcomes: 1.4 of at least 2 expected" in report.decision.sentence
    assert (result.p_value, result.final) == (None, True)
    later = analyze(of((40, 21_000), (20, 1_500)), PLAN, after(result))
    assert later.decision.action is Action.INCONCLUSIVE


def test_a_margin_has_the_outcomes_of_the_loss_that_it_allows() -> None:
    result = look(of((5, 9_500), (1, 500), GUARDED))

    assert result.guardrail_state is GuardrailState.HELD
    assert result.p_value is None
    assert isinstance(result.comparison.absolute, Status)
    assert result.looked is not None
    assert after(result)["sales", "b"].guardrail is GuardrailState.HELD


def test_one_look_waits_for_no_outcomes() -> None:
    plan = Plan(ended=True)

    (result,) = analyze(FEW, plan).results

    assert result.p_value is not None
    assert rule_for(plan, Sample(9_500, 500, 475.0)).outcomes_needed(9_500, 500) == 0
