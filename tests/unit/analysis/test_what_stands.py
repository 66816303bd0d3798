"""What stands after the looks that were taken."""

from __future__ import annotations

import pytest

from neonblue.analysis import MomentRow, ask
from neonblue.contract.messages import MetricMessage
from neonblue.statistics import Action, Estimate, Status, Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from tests.unit.analysis.lives import configuration, counted, day, rows_of, valued
from tests.unit.analysis.platform_runs import THREE, Platform, of_rate, shown


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


def test_the_share_that_was_reached_stands_when_the_shares_of_the_arms_change() -> None:
    arms = (("control", 4, True), ("t", 1, True))
    platform = Platform(configuration(1, arms, planned_units=20_000))
    first = [counted("control", day(1), 8000, 0), counted("t", day(1), 2000, 0)]
    platform.decide(first, 2)
    platform.configurations[2] = configuration(2, planned_units=20_000)
    platform.decide([*first, *(counted(arm, day(2), 500, 50, 2) for arm in ("control", "t"))], 3)

    (before,), (after,) = (look.cells for look in platform.looks)
    assert before.z is None
    assert after.z is not None
    assert after.share >= before.share > 0.4
    assert after.spent >= before.spent


def test_an_interval_without_ends_stands_until_the_next_look() -> None:
    """So early a look has a boundary that no number of few units reaches."""
    spent = MetricMessage(key="conv", type="mean", event_type="purchase", aggregation="sum", cuped=False)
    platform = Platform(configuration(planned_units=1_000_000, metrics=(spent,)))
    moments = [valued("control", day(1), 5, 10, 25, "conv"), valued("t", day(1), 4, 6, 30, "conv")]

    decided = platform.decide(moments, 2)

    assert platform.looks[0].cells[0].lower is None
    assert platform.looks[0].cells[0].level == 0.95
    assert shown(platform.page(moments, 2).results[0]) == shown(decided.results[0])


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
