"""Which looks of a plan count, and what stands after them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from neonblue.analysis import ExperimentRows, MomentRow, Question, ask, look_of
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.statistics import Action, Estimate, MetricResult, Report, Status, StatusCode, Verdict
from neonblue.statistics.standing import GuardrailState
from tests.unit.analysis.lives import configuration, counted, day, midnight, rows_of, valued

CASES = Path(__file__).parents[3].parent / "shared" / "statistics" / "cases-2"


def test_a_planned_verdict_stands_after_the_planned_size() -> None:
    """Days of 1,100 units an arm, 10 % against 13 %, planned 20,000."""
    if not CASES.exists():
        pytest.skip("the reference cases are not here")
    (case,) = json.loads((CASES / "group_sequential_platform.json").read_text())
    given, expected = case["inputs"], case["expected"]
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


class Platform:
    """Decision runs as the platform makes them: each keeps its look, and the next is asked with those that are kept."""

    def __init__(self, *configurations: ExperimentMessage) -> None:
        self.configurations = {each.version: each for each in configurations}
        self.looks: list[LookMessage] = []

    def decide(self, moments: Sequence[MomentRow], today: int, hours: float = 0.3) -> Report:
        """The decision run of that day, some hours after midnight."""
        question = self.ask(moments, today, hours, taking=True)
        report = question.answer()
        look = look_of(question, report)
        if look is not None:
            self.looks.append(look)
        return report

    def ask(
        self, moments: Sequence[MomentRow], today: int, hours: float = 0.3, *, taking: bool = False
    ) -> Question:
        return ask(
            self.configurations,
            rows_of(moments),
            day(today),
            self.looks,
            now=midnight(today) + timedelta(hours=hours),
            taking=taking,
        )

    def page(self, moments: Sequence[MomentRow], today: int, hours: float = 12.0) -> Report:
        """What a page shows that is opened then."""
        return self.ask(moments, today, hours).answer()


def of_rate(control: float, treatment: float, days: int, n: int = 1000) -> list[MomentRow]:
    return [
        counted(arm, day(d), n, round(n * rate))
        for d in range(1, days + 1)
        for arm, rate in (("control", control), ("t", treatment))
    ]


def shown(result: MetricResult) -> tuple[object, ...]:
    test = result.comparison.absolute
    assert isinstance(test, Estimate)
    return result.p_value, result.adjusted_p, test.interval, result.verdict


def test_kept_looks_and_looks_worked_out_again_give_the_same_verdicts() -> None:
    platform = Platform(configuration(planned_units=20_000))
    for today in range(2, 14):
        moments = of_rate(0.10, 0.118, today - 1)
        kept = platform.decide(moments, today)
        again = ask(platform.configurations, rows_of(moments), day(today)).answer()
        assert shown(kept.results[0]) == shown(again.results[0])
        assert kept.decision.action is again.decision.action

    assert [look.number for look in platform.looks] == list(range(1, 11))
    assert [look.cells[0].share for look in platform.looks] == pytest.approx([k / 10 for k in range(1, 11)])
    spent = [look.cells[0].spent for look in platform.looks]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(0.05)


def test_a_page_between_looks_spends_nothing_and_decides_nothing() -> None:
    platform = Platform(configuration(planned_units=20_000))
    moments = of_rate(0.10, 0.10, 3)
    decided = platform.decide(moments, 4)
    landslide = [*moments, counted("control", day(4), 2000, 200), counted("t", day(4), 2000, 600)]

    page = platform.page(landslide, 4)

    assert shown(page.results[0])[:3] == shown(decided.results[0])[:3]
    assert page.decision.action is Action.KEEP_RUNNING
    # The estimate moves all the same.
    assert page.results[0].comparison.diff == pytest.approx(600 / 5000 - 0 + 300 / 5000 - 500 / 5000)
    assert len(platform.looks) == 1


def test_before_the_first_look_a_page_says_when_it_comes() -> None:
    platform = Platform(configuration(planned_units=20_000))

    (result,) = platform.page(of_rate(0.1, 0.2, 1), 1).results

    assert isinstance(result.comparison.absolute, Status)
    assert result.comparison.absolute.code is StatusCode.NO_LOOK
    assert result.comparison.diff == pytest.approx(0.1)
    assert result.p_value is None


def test_a_second_run_on_the_same_day_takes_no_other_look() -> None:
    platform = Platform(configuration(planned_units=20_000))
    first = platform.decide(of_rate(0.10, 0.11, 3), 4)
    second = platform.decide(of_rate(0.10, 0.11, 3), 4, hours=1.3)

    assert len(platform.looks) == 1
    assert shown(first.results[0])[:3] == shown(second.results[0])[:3]


def test_a_day_without_news_is_no_look() -> None:
    platform = Platform(configuration(planned_units=20_000))
    platform.decide(of_rate(0.10, 0.11, 3), 4)
    platform.decide(of_rate(0.10, 0.11, 3), 5)

    assert len(platform.looks) == 1


def test_an_interim_rejection_stands_while_the_estimate_moves() -> None:
    platform = Platform(configuration(planned_units=20_000))
    early = platform.decide(of_rate(0.10, 0.20, 2), 3)
    assert early.decision.action is Action.SHIP
    # From the third day on the treatment does worse.
    moments = of_rate(0.10, 0.20, 2) + [
        counted(arm, day(d), 1000, x) for d in range(3, 9) for arm, x in (("control", 100), ("t", 70))
    ]
    for today in range(4, 10):
        late = platform.decide([row for row in moments if row.exposure_date < day(today)], today)
        assert late.decision.action is Action.SHIP
        assert shown(late.results[0]) == shown(early.results[0])

    assert late.results[0].comparison.diff != early.results[0].comparison.diff
    assert {look.cells[0].rejected_at for look in platform.looks} == {platform.looks[0].closed_to}


def test_a_guardrail_may_still_turn_a_shipping_verdict() -> None:
    latency = MetricMessage(
        key="latency", type="mean", role="guardrail", direction="decrease", event_type="load", aggregation="sum",
        margin="0.05", cuped=False,
    )  # fmt: skip
    conv = MetricMessage(key="conv", type="proportion", event_type="purchase", aggregation="any")
    platform = Platform(configuration(planned_units=20_000, metrics=(conv, latency)))

    def moments(days: int, mean: float) -> list[MomentRow]:
        rows = of_rate(0.10, 0.20, days)
        for d in range(1, days + 1):
            for arm, value in (("control", 100.0), ("t", 100.0 if d < 3 else mean)):
                rows.append(valued(arm, day(d), 1000, 1000 * value, 1000 * (value**2 + 400), "latency"))
        return rows

    held = platform.decide(moments(2, 100), 3)
    breached = platform.decide(moments(6, 160), 7)

    assert held.decision.action is not Action.ROLL_BACK
    assert breached.decision.action is Action.ROLL_BACK
    assert breached.results[0].verdict is Verdict.BETTER
    assert breached.results[1].guardrail_state is GuardrailState.BREACHED


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
    from neonblue.statistics import Deciding, Experiment, Metric, MetricKind, Moments, Plan, Role, analyze

    guard = Metric("guard", MetricKind.MEAN, Role.GUARDRAIL, margin=0.05, margin_relative=True)
    moments = {
        ("guard", "a"): Moments(500, 500 * 10.0, 500 * 104.0),
        ("guard", "b"): Moments(500, 500 * 4.0, 500 * 20.0),
    }
    experiment = Experiment("a", ("a", "b"), (guard,), moments)

    early = analyze(experiment, Plan(deciding=Deciding.FIXED, planned_units=100_000))
    at_the_end = analyze(experiment, Plan(deciding=Deciding.FIXED, planned_units=1_000))

    assert early.decision.action is Action.KEEP_RUNNING
    assert early.results[0].guardrail_state is None
    assert at_the_end.decision.action is Action.ROLL_BACK


def test_a_confidence_sequence_keeps_its_smallest_p_and_the_intersection() -> None:
    platform = Platform(configuration())
    best, lower, upper = 1.0, float("-inf"), float("inf")
    for today, rate in enumerate((0.14, 0.15, 0.10, 0.09), start=2):
        moments = [
            counted(arm, day(d), 1500, round(1500 * x))
            for d in range(1, today)
            for arm, x in (("control", 0.10), ("t", rate))
        ]
        alone = ask(platform.configurations, rows_of(moments), day(today)).answer().results[0]
        (result,) = platform.decide(moments, today).results
        now, seen = alone.comparison.absolute, result.comparison.absolute
        assert isinstance(now, Estimate)
        assert isinstance(seen, Estimate)
        assert alone.p_value is not None
        best = min(best, alone.p_value)
        if max(lower, now.interval.lower) <= min(upper, now.interval.upper):
            lower, upper = max(lower, now.interval.lower), min(upper, now.interval.upper)
        assert result.p_value == best
        assert (seen.interval.lower, seen.interval.upper) == (lower, upper)
        assert result.verdict is (Verdict.BETTER if best <= 0.05 else Verdict.UNDECIDED)


def test_a_run_that_tells_nothing_new_keeps_no_look_of_a_confidence_sequence() -> None:
    platform = Platform(configuration())
    platform.decide(of_rate(0.10, 0.13, 2), 3)
    platform.decide(of_rate(0.10, 0.13, 2), 3, hours=1.3)

    assert len(platform.looks) == 1


def test_looks_survive_the_way_through_json() -> None:
    import msgspec

    platform = Platform(configuration(planned_units=20_000))
    platform.decide(of_rate(0.10, 0.20, 2), 3)
    (look,) = platform.looks

    assert msgspec.json.decode(msgspec.json.encode(look), type=LookMessage) == look


def test_the_order_of_the_rows_changes_no_verdict() -> None:
    moments = of_rate(0.10, 0.118, 12)
    first = ask({1: configuration(planned_units=20_000)}, rows_of(moments), day(13)).answer()
    random.Random(3).shuffle(moments)

    assert ask({1: configuration(planned_units=20_000)}, rows_of(moments), day(13)).answer() == first


def test_no_rows_at_all_have_no_look() -> None:
    platform = Platform(configuration(planned_units=20_000))

    report = platform.decide([], 3)

    assert platform.looks == []
    assert report.decision.action is Action.KEEP_RUNNING
    assert ask(platform.configurations, ExperimentRows(), day(3)).answer().results[0].p_value is None


def test_a_last_look_that_finds_nothing_to_test_with_is_the_last_one_all_the_same() -> None:
    platform = Platform(configuration(planned_units=4_000))
    decided = platform.decide(of_rate(0, 0, 2), 3)

    page = platform.page(of_rate(0, 0, 2), 3)
    later = platform.decide(of_rate(0, 0.1, 3), 4)

    assert decided.decision.action is Action.INCONCLUSIVE
    assert page.decision.action is Action.INCONCLUSIVE
    assert later.decision.action is Action.INCONCLUSIVE
    assert len(platform.looks) == 1


def test_the_share_that_was_reached_stands_when_the_shares_of_the_arms_change() -> None:
    arms = (("control", 99, True), ("t", 1, True))
    platform = Platform(configuration(1, arms, planned_units=20_000))
    first = [counted("control", day(1), 9900, 0), counted("t", day(1), 100, 0)]
    platform.decide(first, 2)
    platform.configurations[2] = configuration(2, planned_units=20_000)
    platform.decide([*first, *(counted(arm, day(2), 500, 50, 2) for arm in ("control", "t"))], 3)

    (before,), (after,) = (look.cells for look in platform.looks)
    assert before.z is None
    assert after.z is not None
    assert after.share >= before.share > 0.4
    assert after.spent >= before.spent


def test_a_look_at_which_information_grows_and_the_share_does_not_is_taken() -> None:
    """A version at equal shares begins: what came before is a smaller part of the plan than it was."""
    arms = (("control", 9, True), ("t", 1, True))
    platform = Platform(configuration(1, arms, planned_units=20_000))
    moments = [counted("control", day(1), 9000, 900), counted("t", day(1), 1000, 100)]
    platform.decide(moments, 2)
    platform.configurations[2] = configuration(2, planned_units=20_000)
    for today in (3, 4):
        moments += [counted(arm, day(today - 1), 10, 1, 2) for arm in ("control", "t")]
        platform.decide(moments, today)

    first, *others = (look.cells[0] for look in platform.looks)
    assert len(others) == 2
    assert all(cell.information > first.information and cell.share == first.share for cell in others)


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


def test_an_interval_without_ends_stands_until_the_next_look() -> None:
    """So early a look has a boundary that no number of few units reaches."""
    spent = MetricMessage(key="conv", type="mean", event_type="purchase", aggregation="sum", cuped=False)
    platform = Platform(configuration(planned_units=1_000_000, metrics=(spent,)))
    moments = [valued("control", day(1), 5, 10, 25, "conv"), valued("t", day(1), 4, 6, 30, "conv")]

    decided = platform.decide(moments, 2)

    assert platform.looks[0].cells[0].lower is None
    assert platform.looks[0].cells[0].level == 0.95
    assert shown(platform.page(moments, 2).results[0]) == shown(decided.results[0])


def test_units_that_are_not_looked_at_yet_end_no_plan() -> None:
    errors = MetricMessage(
        key="conv", type="proportion", role="guardrail", event_type="error", aggregation="any"
    )
    platform = Platform(configuration(planned_units=4_000, metrics=(errors,)))
    platform.decide(of_rate(0.1, 0.1, 1), 2)

    assert platform.page(of_rate(0.1, 0.1, 2), 2).decision.action is Action.KEEP_RUNNING
    assert platform.decide(of_rate(0.1, 0.1, 2), 3).decision.action is Action.INCONCLUSIVE


THREE = (("control", 1, True), ("t", 1, True), ("u", 1, True))


def test_an_arm_too_small_for_a_verdict_helps_no_other_to_one() -> None:
    """Holm's second step is for what was rejected; of 50 units nothing is yet."""
    platform = Platform(configuration(1, THREE))
    moments = [
        counted("control", day(1), 5000, 500),
        counted("t", day(1), 50, 45),
        counted("u", day(1), 5000, 600),
    ]

    small, other = platform.decide(moments, 2).results

    assert (small.p_value, small.verdict) == (None, Verdict.UNDECIDED)
    assert other.p_value is not None
    assert other.adjusted_p is not None
    assert 0.025 < other.p_value < 0.05
    assert other.adjusted_p == pytest.approx(2 * other.p_value)
    assert other.verdict is Verdict.UNDECIDED


def test_the_adjusted_p_agrees_with_a_verdict_that_waits_for_the_interval() -> None:
    """u's p of the first look would do for Holm's second step, whose interval nobody worked out then."""
    platform = Platform(configuration(1, THREE))
    first = [
        counted("control", day(1), 5000, 500),
        counted("t", day(1), 5000, 500),
        counted("u", day(1), 5000, 600),
    ]
    second = [
        counted("control", day(2), 5000, 500),
        counted("t", day(2), 5000, 1000),
        counted("u", day(2), 5000, 500),
    ]
    platform.decide(first, 2)

    t, u = platform.decide([*first, *second], 3).results

    assert t.verdict is Verdict.BETTER
    assert u.verdict is Verdict.UNDECIDED
    assert isinstance(u.comparison.absolute, Estimate)
    assert u.comparison.absolute.interval.contains(0)
    assert u.adjusted_p is not None
    assert u.adjusted_p > 0.05


def test_intervals_that_have_nothing_in_common_leave_the_one_that_agrees_with_the_verdict() -> None:
    """No effect on the first day, twice the rate afterwards; then none again."""
    platform = Platform(configuration())
    moments = of_rate(0.10, 0.10, 1, n=5000)
    platform.decide(moments, 2)
    moments += [counted("control", day(2), 5000, 500), counted("t", day(2), 5000, 1000)]

    (rejected,) = platform.decide(moments, 3).results
    moments += [counted("control", day(3), 90_000, 9000), counted("t", day(3), 90_000, 8500)]
    (later,) = platform.decide(moments, 4).results

    assert rejected.p_value is not None
    assert rejected.p_value < 1e-6
    for result in (rejected, later):
        assert isinstance(result.comparison.absolute, Estimate)
        assert result.comparison.absolute.interval.lower > 0
        assert result.verdict is Verdict.BETTER


def test_an_experiment_from_elsewhere_has_no_look_to_keep() -> None:
    platform = Platform(configuration(source="external", inference=None))

    report = platform.decide(of_rate(0.10, 0.20, 2), 3)

    assert report.decision.action is Action.SHIP
    assert platform.looks == []


def test_a_rejection_stands_where_nothing_can_be_estimated_any_more() -> None:
    platform = Platform(configuration(planned_units=20_000))
    platform.decide(of_rate(0.10, 0.20, 2), 3)
    erased = [row for row in of_rate(0.10, 0.20, 2) if row.variant_key == "control"]

    report = platform.page(erased, 4)

    assert isinstance(report.results[0].comparison.absolute, Status)
    assert report.results[0].verdict is Verdict.BETTER
    assert report.results[0].p_value == platform.looks[0].cells[0].p_value
    # An arm that is empty is another matter.
    assert report.decision.action is Action.INVALID
