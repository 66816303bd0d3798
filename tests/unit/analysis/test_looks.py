"""Which looks of a plan count, and which are kept."""

from __future__ import annotations

import random

import pytest

from neonblue.analysis import ExperimentRows, ask
from neonblue.contract.looks import LookMessage
from neonblue.statistics import Action, Status, StatusCode
from tests.unit.analysis.lives import configuration, counted, day, rows_of
from tests.unit.analysis.platform_runs import Platform, of_rate, shown


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


def test_an_experiment_from_elsewhere_has_no_look_to_keep() -> None:
    platform = Platform(configuration(source="external", inference=None))

    report = platform.decide(of_rate(0.10, 0.20, 2), 3)

    assert report.decision.action is Action.SHIP
    assert platform.looks == []
