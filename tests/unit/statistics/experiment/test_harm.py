"""False alarms of guardrails: any one of them stops an arm, so that all of them share one error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neonblue.statistics import (
    Action,
    Direction,
    Estimate,
    Experiment,
    Inference,
    Metric,
    MetricKind,
    Moments,
    Plan,
    Role,
    Status,
    Verdict,
    analyze_metrics,
)
from neonblue.statistics.experiment.report import analyze
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.methods.multiplicity import Procedure, judge_shared

N = 10_000
ENDED = Plan(ended=True)
SEQUENCE = Plan(inference=Inference.CONFIDENCE_SEQUENCE)
ERRORS = Metric("errors", MetricKind.PROPORTION, Role.GUARDRAIL, Direction.LOWER_IS_BETTER)


def experiment(*guardrails: Metric, arms: int = 2, worst: int = 1_088) -> Experiment:
    """Guardrails of control and treatments alike, but for the first in the first treatment: p is 0.041 by default."""
    names = ("c", *(f"t{at}" for at in range(1, arms)))
    moments = {(metric.name, arm): Moments.proportion(1_000, N) for metric in guardrails for arm in names}
    moments[guardrails[0].name, "t1"] = Moments.proportion(worst, N)
    return Experiment("c", names, guardrails, moments)


def several(count: int, **fields: object) -> list[Metric]:
    return [replace(ERRORS, name=f"errors{at}", **fields) for at in range(count)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("guardrails", "arms", "alarm"),
    [
        (several(1), 2, True),
        (several(2), 2, False),
        (several(1), 3, False),
        (several(1, watchers=2), 2, False),
    ],
)
def test_a_guardrails_alarm_is_judged_by_its_part_of_the_error(
    guardrails: list[Metric], arms: int, alarm: bool
) -> None:
    found = analyze(experiment(*guardrails, arms=arms), ENDED)
    first = found.results[0]

    assert first.p_value == pytest.approx(0.041, abs=0.001)
    assert (first.verdict is Verdict.WORSE) == alarm
    assert (found.decision.action is Action.ROLL_BACK) == alarm
    assert isinstance(first.comparison.absolute, Estimate)
    assert first.comparison.absolute.interval.contains(0.0) != alarm


def test_its_interval_says_the_level_at_which_it_is_judged() -> None:
    found = analyze_metrics(experiment(*several(5), arms=3, worst=1_000), ENDED)

    tests = [result.comparison.absolute for result in found]
    assert {test.interval.level for test in tests if isinstance(test, Estimate)} == {1 - 0.05 / 10}
    assert len(tests) == 10


@pytest.mark.parametrize(("worst", "state"), [(1_320, GuardrailState.BREACHED), (1_280, GuardrailState.OPEN)])
def test_a_breach_has_half_of_the_error_as_harm_without_a_margin_has(
    worst: int, state: GuardrailState
) -> None:
    """Beyond a margin of 2 points at z = 2.6 and 1.8; one-sided at 5 % both would be."""
    (result,) = analyze_metrics(experiment(replace(ERRORS, margin=0.02), worst=worst), ENDED)

    assert result.guardrail_state is state


def test_a_margin_is_held_whatever_the_number_of_guardrails() -> None:
    """All of them must be within their margins to ship: that needs no correction."""
    alone, *_ = analyze_metrics(experiment(*several(1, margin=0.01), worst=1_025), ENDED)
    among, *_ = analyze_metrics(experiment(*several(9, margin=0.01), arms=4, worst=1_025), ENDED)

    assert alone.guardrail_state is among.guardrail_state is GuardrailState.HELD


@pytest.mark.parametrize("inference", [Inference.GROUP_SEQUENTIAL, Inference.CONFIDENCE_SEQUENCE])
def test_a_sequential_plan_shares_its_error_as_well(inference: Inference) -> None:
    planned = 2 * N if inference is Inference.GROUP_SEQUENTIAL else None
    plan = Plan(inference=inference, planned_units=planned)
    shaken = 1_135  # z = 3.1

    alone = analyze_metrics(experiment(*several(1), worst=shaken), plan)[0]
    among = analyze_metrics(experiment(*several(60), worst=shaken), plan)[0]

    assert (alone.verdict, among.verdict) == (Verdict.WORSE, Verdict.UNDECIDED)


def test_primary_metrics_are_a_family_of_their_own() -> None:
    primary = Metric("conversion", MetricKind.PROPORTION, Role.PRIMARY)
    whole = experiment(primary, *several(20), worst=1_088)

    assert analyze_metrics(whole, ENDED)[0].verdict is Verdict.BETTER


def test_tests_that_are_not_given_count_in_a_shared_error() -> None:
    family = judge_shared([0.012, None, 0.5], 4)

    assert family.procedure is Procedure.BONFERRONI
    assert family.adjusted == (pytest.approx(0.048), None, 1.0)
    assert family.rejected == (True, False, False)
    assert family.interval_alpha == (0.0125, None, 0.0125)
    assert judge_shared([], 0).rejected == ()
    with pytest.raises(ValueError, match="tests"):
        judge_shared([0.5, 0.5], 1)


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (0, 9)])
def test_a_guardrail_of_too_few_outcomes_is_not_held(counts: tuple[int, int]) -> None:
    aim = Metric("bought", MetricKind.PROPORTION, Role.PRIMARY)
    moments = {("bought", "c"): Moments.proportion(1_000, N), ("bought", "t1"): Moments.proportion(1_500, N)}
    moments |= {
        ("errors", arm): Moments.proportion(count, N) for arm, count in zip(("c", "t1"), counts, strict=True)
    }

    watched = analyze(Experiment("c", ("c", "t1"), (aim, ERRORS), moments), SEQUENCE)

    assert watched.decision.action is Action.KEEP_RUNNING


def test_a_margin_that_is_held_by_few_outcomes_shows_no_interval_beside_it() -> None:
    loss = replace(ERRORS, margin=0.05)
    moments = {("errors", "c"): Moments.proportion(10, 20_000), ("errors", "t1"): Moments.proportion(4, 400)}

    (found,) = analyze(Experiment("c", ("c", "t1"), (loss,), moments), SEQUENCE).results

    assert found.guardrail_state is GuardrailState.HELD
    assert isinstance(found.comparison.absolute, Status)
    assert isinstance(found.comparison.relative, Status)
