"""What holds over every life of an experiment, whatever its owner does and whenever somebody looks."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from api.experiments.answers import ExperimentOut
from api.looks.rules import refusals
from api.looks.schemas import LookIn
from neonblue.analysis import Question, ask, look_of
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.breaches import breaches
from neonblue.statistics import Action, Estimate, MetricResult, Report, Verdict
from neonblue.statistics.experiment.experiment import Inference
from tests.unit.analysis.lives import day, midnight
from tests.unit.analysis.whole_lives import Life, Occasion

LIVES = 40
"""Some twenty seconds of them; each seed is another one."""


@dataclass
class Walk:
    """One life, walked through occasion by occasion, with what was kept and what was seen."""

    life: Life
    looks: list[LookMessage] = field(default_factory=list)
    decided: Report | None = None
    settled: Occasion | None = None
    after_conclusion: int = 0

    def go(self) -> None:
        for occasion in self.life.occasions():
            before = list(self.looks)
            question, report = self._answer(occasion)
            if occasion.taking:
                self._keep(occasion, question, report)
                if question.plan.inference is Inference.GROUP_SEQUENTIAL:
                    assert_same_page(self._answer(replace(occasion, taking=False))[1], report)
            elif self._settled(occasion, question):
                assert self.decided is not None
                assert_same_page(report, self.decided, estimates=False)
            assert_consistent(question, report)
            assert_same_in_any_order(occasion, before, report)
            assert_watched(occasion)
            if occasion.taking:
                self.decided, self.settled = report, occasion
            assert_replayed(occasion)

    def _settled(self, occasion: Occasion, question: Question) -> bool:
        """Whether the last decision run answered under the same state of the experiment."""
        if self.settled is None or question.plan.inference is not Inference.GROUP_SEQUENTIAL:
            return False
        return state_of(self.settled) == state_of(occasion)

    def _answer(self, occasion: Occasion) -> tuple[Question, Report]:
        question = ask(
            occasion.configurations,
            occasion.rows,
            day(occasion.today),
            self.looks,
            now=midnight(occasion.today) + timedelta(hours=occasion.hours),
            taking=occasion.taking,
        )
        return question, question.answer()

    def _keep(self, occasion: Occasion, question: Question, report: Report) -> None:
        look = look_of(question, report)
        if question.plan.inference is Inference.FIXED:
            return
        for cell in standing_cells(self.looks):
            (now,) = (
                r for r in report.results if (r.metric.name, r.arm) == (cell.metric_key, cell.variant_key)
            )
            assert_stands(cell, now, question)
        if look is None:
            return
        newest = occasion.configurations[max(occasion.configurations)]
        assert_kept(look, newest, self.looks, occasion)
        if newest.status == "concluded" and question.plan.inference is Inference.GROUP_SEQUENTIAL:
            self.after_conclusion += 1
            assert self.after_conclusion == 1, "a second look after the conclusion"
        self.looks.append(msgspec.json.decode(msgspec.json.encode(look), type=LookMessage))


def state_of(occasion: Occasion) -> tuple[str, frozenset[str]]:
    newest = occasion.configurations[max(occasion.configurations)]
    return newest.status, frozenset(v.key for v in newest.variants if not v.active)


def standing_cells(looks: Iterable[LookMessage]) -> Iterable[Any]:
    found = {(cell.metric_key, cell.variant_key): cell for look in looks for cell in look.cells}
    return found.values()


def assert_stands(cell: Any, now: MetricResult, question: Question) -> None:
    """What was rejected stays, with its p and interval."""
    if not cell.rejected:
        return
    assert now.rejected, "a rejection vanished"
    if isinstance(now.comparison.absolute, Estimate):
        assert now.verdict in (Verdict.BETTER, Verdict.WORSE)
    if question.plan.inference is Inference.GROUP_SEQUENTIAL:
        assert (now.p_value, now.adjusted_p) == (cell.p_value, cell.adjusted_p)
        if isinstance(now.comparison.absolute, Estimate):
            interval = now.comparison.absolute.interval
            assert (interval.lower, interval.upper, interval.level) == (cell.lower, cell.upper, cell.level)
    else:
        assert now.p_value is not None
        assert now.p_value <= cell.p_value


def assert_kept(
    look: LookMessage, newest: ExperimentMessage, earlier: list[LookMessage], occasion: Occasion
) -> None:
    """The API takes it."""
    text = msgspec.json.encode(look)
    fields = {k: v for k, v in msgspec.json.decode(text).items() if k not in ("experiment", "taken_at")}
    taken = LookIn.model_validate_json(msgspec.json.encode(fields))
    assert taken.message(look.experiment) == look
    experiment = SimpleNamespace(
        version=newest.version,
        inference=newest.inference,
        planned_units=newest.planned_units,
        metrics=newest.metrics,
        variants=newest.variants,
    )
    now = midnight(occasion.today) + timedelta(hours=occasion.hours)
    broken = refusals(look, cast("ExperimentOut", experiment), earlier, now)
    assert not broken, broken
    assert look.number == len(earlier) + 1


def assert_consistent(question: Question, report: Report) -> None:
    plan = question.plan
    for result in report.results:
        test = result.comparison.absolute
        if before_end_of(question):
            assert result.p_value is None
            assert result.guardrail_state is None
            assert not result.rejected
        if not isinstance(test, Estimate):
            assert result.verdict is Verdict.UNKNOWN
            continue
        assert (result.verdict in (Verdict.BETTER, Verdict.WORSE)) == result.rejected
        if result.p_value is not None:
            assert result.rejected != test.interval.contains(0.0), f"{result}"
            alpha = plan.false_discovery_rate if result.metric.role.value == "secondary" else plan.alpha
            assert result.adjusted_p is not None
            assert result.rejected == (result.adjusted_p <= alpha), f"{result}"
            assert 0 <= result.p_value <= result.adjusted_p * (1 + 1e-9) <= 1 + 1e-9
    decision = report.decision
    if decision.action is Action.SHIP:
        assert decision.arm not in question.experiment.dropped
    if decision.action is Action.KEEP_RUNNING:
        assert not plan.ended
    if decision.action is Action.INCONCLUSIVE and plan.inference is Inference.GROUP_SEQUENTIAL:
        live = [r for r in report.results if r.arm not in question.experiment.dropped]
        primary = [r for r in live if r.metric.role.value == "primary"]
        assert plan.ended or all(r.final or r.rejected for r in primary)
    if before_end_of(question):
        assert (
            decision.action in (Action.KEEP_RUNNING, Action.INVALID)
            or not question.experiment.live_treatments
        )


def before_end_of(question: Question) -> bool:
    return question.plan.inference is Inference.FIXED and not question.plan.complete(
        question.experiment.units
    )


def assert_same_page(page: Report, decided: Report, *, estimates: bool = True) -> None:
    """What a page says of p, interval and decision is what the last decision run said."""
    for now, then in zip(page.results, decided.results, strict=True):
        a, b = now.comparison.absolute, then.comparison.absolute
        assert (now.p_value, now.adjusted_p, now.rejected) == (then.p_value, then.adjusted_p, then.rejected)
        assert now.guardrail_state == then.guardrail_state
        if isinstance(a, Estimate) and isinstance(b, Estimate):
            assert a.interval == b.interval
            assert now.verdict is then.verdict
        elif isinstance(b, Estimate) and estimates:
            assert isinstance(a, Estimate), f"{a}"
    if Action.INVALID not in (page.decision.action, decided.decision.action):
        assert page.decision.action is decided.decision.action, (page.decision, decided.decision)
        assert page.decision.arm == decided.decision.arm
        if estimates:
            assert ("last look" in page.decision.sentence) == ("last look" in decided.decision.sentence)


def assert_same_in_any_order(occasion: Occasion, looks: list[LookMessage], report: Report) -> None:
    moments = list(occasion.rows.moments)
    random.Random(occasion.today).shuffle(moments)
    units = list(reversed(occasion.rows.units))
    configurations = dict(reversed(occasion.configurations.items()))
    again = ask(
        configurations,
        replace(occasion.rows, moments=moments, units=units),
        day(occasion.today),
        looks,
        now=midnight(occasion.today) + timedelta(hours=occasion.hours),
        taking=occasion.taking,
    ).answer()
    # By their text: a p-value that there is not is NaN, which equals nothing.
    assert repr(again) == repr(report)


def assert_replayed(occasion: Occasion) -> None:
    """No look was kept: everything is answered all the same."""
    question = ask(occasion.configurations, occasion.rows, day(occasion.today))
    assert_consistent(question, question.answer())


def assert_watched(occasion: Occasion) -> None:
    newest = occasion.configurations[max(occasion.configurations)]
    found = breaches(newest, occasion.rows.moments, occasion.configurations)
    dropped = {variant.key for variant in newest.variants if not variant.active}
    roles = {metric.key: metric.role for metric in newest.metrics}
    assert not dropped & {breach.variant_key for breach in found}
    assert {roles[breach.metric_key] for breach in found} <= {"guardrail"}


@pytest.mark.parametrize("first", range(0, LIVES, 10))
def test_whatever_happens_in_its_life_what_is_said_of_an_experiment_holds_together(first: int) -> None:
    for seed in range(first, first + 10):
        Walk(Life(seed)).go()
