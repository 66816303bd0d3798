"""Lives in short: what is promised holds, and a rule that is broken is found."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from neonblue.analysis import question
from neonblue.analysis.standings import standings_of
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.simulation.lives import holding
from neonblue.simulation.lives.families import BY_KEY
from neonblue.simulation.lives.playing import Outcome, play
from neonblue.simulation.lives.tally import Tally, tally
from neonblue.statistics import Family, Procedure
from neonblue.statistics.experiment import analysis
from neonblue.statistics.experiment.inference import FixedHorizon
from neonblue.statistics.experiment.standing import Standing

LIVES = 8


@functools.cache
def sound(family: str) -> Tally:
    return played(family, LIVES)


def played(family: str, lives: int) -> Tally:
    return tally(family, [life(family, seed) for seed in range(lives)])


def life(family: str, seed: int) -> Outcome:
    return play(family, BY_KEY[family].draw, seed)


@pytest.mark.parametrize("family", list(BY_KEY))
def test_what_is_promised_holds_in_a_few_lives(family: str) -> None:
    assert sound(family).failures(BY_KEY[family].power) == []


def test_a_life_is_the_same_whenever_it_is_played() -> None:
    for family in ("planned", "changing"):
        assert life(family, 7) == life(family, 7)
        assert life(family, 7) != life(family, 8)


def test_a_true_effect_is_found_and_true_harm_is_said() -> None:
    assert sound("better").found > LIVES / 2
    assert sound("worse").found > LIVES / 2


def test_alarms_that_do_not_share_their_error_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "judge_shared", lambda p_values, tests, alpha: alone(p_values, alpha))

    assert "false harm" in played("guarded", 60).failures(None)


def alone(p_values: Sequence[float | None], alpha: float) -> Family:
    rejected = tuple(p is not None and p <= alpha for p in p_values)
    levels = tuple(None if p is None else alpha for p in p_values)
    return Family(Procedure.BONFERRONI, alpha, tuple(p_values), rejected, levels)


def test_a_plan_that_is_tested_anew_every_day_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "rule_for", lambda *given: FixedHorizon(complete=True))

    assert "outside its interval" in played("peeking", 150).failures(None)


def test_a_rejection_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgotten(newest: ExperimentMessage, looks: Sequence[LookMessage]) -> dict[tuple[str, str], Standing]:
        return {place: replace(each, rejected=False) for place, each in standings_of(newest, looks).items()}

    monkeypatch.setattr(question, "standings_of", forgotten)

    broken = [outcome.broken for seed in range(6) if (outcome := life("better", seed)).broken]
    assert broken
    assert "became undecided" in broken[0] or "the interval is" in broken[0]


def test_a_rejection_whose_p_moves_with_the_sums_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(newest: ExperimentMessage, looks: Sequence[LookMessage]) -> dict[tuple[str, str], Standing]:
        return {
            place: replace(each, p_value=each.p_value / 2) if each.rejected and each.p_value else each
            for place, each in standings_of(newest, looks).items()
        }

    monkeypatch.setattr(question, "standings_of", halved)

    broken = [outcome.broken for seed in range(8) if (outcome := life("restated", seed)).broken]
    assert broken
    assert "p and interval were" in broken[0]


def test_sums_that_change_without_a_cause_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "restatements", lambda *given: ())

    broken = [outcome.broken for seed in range(8) if (outcome := life("people", seed)).broken]
    assert broken
    assert "changed by units_removed, and None is said" in broken[0]


def test_an_answer_by_the_order_of_its_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = question.experiment_of

    def first_row_only(configurations, rows, judged):  # type: ignore[no-untyped-def]
        return whole(configurations, rows, lambda row: row is not rows.moments[0] and judged(row))

    monkeypatch.setattr(question, "experiment_of", first_row_only)

    assert life("planned", 3).broken == "the same facts in another order give another answer"
