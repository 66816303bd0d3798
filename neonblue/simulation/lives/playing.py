"""Play a life: decision runs day by day, the sensor in between, and what was said that is not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.random import Generator

from neonblue.analysis import Question, ask, look_of
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.looks import LookMessage
from neonblue.guardrails.breaches import breaches
from neonblue.simulation.lives.design import Design
from neonblue.simulation.lives.holding import Held, answers_alike
from neonblue.simulation.lives.life import RUN_AT, Life
from neonblue.simulation.lives.truth import Truth
from neonblue.statistics import Action, Estimate, Report, Role

_LOOKS_A_DAY = 2  # of the sensor; a day's units come in so many parts
_AFTER = 1  # decision runs after the one that follows the conclusion


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a life.

    wrong_ship: whether an arm was to be shipped that has no better primary metric, or reaches a margin; wrong_harm:
    whether harm was said, or the experiment paused, where there is none; found: whether the true effect was, where
    there is one; missed: whether the interval of one comparison, drawn at random, leaves the truth out at its end;
    level: of that interval. Both None without an interval. invalid: whether a check ever failed. broken: what did not
    hold together, in words.
    """

    wrong_ship: bool
    wrong_harm: bool
    found: bool
    missed: bool | None
    level: float | None
    invalid: bool
    broken: str | None
    said: str


@dataclass
class _Seen:
    wrong_ship: bool = False
    wrong_harm: bool = False
    found: bool = False
    invalid: bool = False
    said: list[str] = field(default_factory=list)


def random_of(family: str, seed: int) -> Generator:
    """Where all of a life comes from."""
    return np.random.default_rng((crc32(family.encode()), seed))


def play(family: str, draw: Callable[[Generator], Design], seed: int) -> Outcome:
    """The life of this seed, from the first day to days after its end."""
    random = random_of(family, seed)
    design = draw(random)
    player = _Player(design, random)
    player.go()
    missed, level = player.interval()
    seen = player.seen
    return Outcome(
        seen.wrong_ship,
        seen.wrong_harm,
        seen.found,
        missed,
        level,
        seen.invalid,
        player.held.broken,
        "\n".join(seen.said),
    )


class _Player:
    def __init__(self, design: Design, random: Generator) -> None:
        self._design, self._random = design, random
        self.life, self.truth = Life(design, random), Truth(design)
        self.seen, self.held = _Seen(), Held()
        self._looks: list[LookMessage] = []
        self._last: tuple[Question, Report] | None = None

    def go(self) -> None:
        self.life.begin_day()
        ending = False
        for _ in range(self._design.days):
            self._enrol()
            ending = self._run() or ending
            if ending:
                break
        if self.life.newest.status != "concluded" and not self._design.imported:
            self.life.stop("concluded")
        for _ in range(_AFTER):
            self._run()
        question, report = self._last or self._answer()
        self.held.after(answers_alike(self.life, question, report, RUN_AT))

    def interval(self) -> tuple[bool | None, float | None]:
        """Whether one comparison's last interval misses the truth, and its level."""
        if self._last is None or not self._design.comes_whole:
            return None, None
        found = [
            (result, test.interval)
            for result in self._last[1].results
            if isinstance(test := result.comparison.absolute, Estimate) and result.p_value is not None
        ]
        if not found:
            return None, None
        result, interval = found[self._random.integers(len(found))]
        return not interval.contains(self.truth.difference(result.metric.name, result.arm)), interval.level

    def _enrol(self) -> None:
        """The open day's units, and what the sensor sees of them."""
        left = self._design.per_day
        for part in range(_LOOKS_A_DAY, 0, -1):
            if self.life.newest.status != "running":
                return
            units = left // part
            left -= units
            self.life.enrol(units)
            if watched_guardrails(self.life.newest):
                self._watch()

    def _watch(self) -> None:
        found = breaches(self.life.newest, self.life.watched_rows(), self.life.versions)
        for breach in found:
            harmed = self.truth.harmed(breach.metric_key, breach.variant_key)
            self.seen.found |= harmed and self.truth.harmful
            self.seen.wrong_harm |= not harmed
            self._say(f"paused: {breach.reason}")
        if found and self._design.owner.heeds:
            self.life.stop("paused")

    def _run(self) -> bool:
        """The decision run after midnight; whether the owner ends the experiment now."""
        if self._design.imported and self.life.day < self._design.days:
            self.life.begin_day()
            return False
        status = self.life.newest.status
        self.life.begin_day()
        question, report = self._answer()
        look = look_of(question, report)
        if look is not None:
            self._looks.append(look)
        self._last = question, report
        self.held.check(question, report)
        if self._design.later is not None:
            self.held.publish(self.life, self.life.midnight + RUN_AT)
        self._judge(question, report)
        owner, action = self._design.owner, report.decision.action
        decided = action in (Action.SHIP, Action.ROLL_BACK) or (action is Action.INCONCLUSIVE and owner.heeds)
        peeked = owner.stops_at is not None and any(
            abs(test.statistic) >= owner.stops_at
            for result in report.results
            if result.metric.role is Role.PRIMARY and isinstance(test := result.comparison.absolute, Estimate)
        )
        paused = status == "paused" and self.life.day - 1 not in owner.pauses
        return (owner.heeds and decided) or peeked or paused

    def _answer(self) -> tuple[Question, Report]:
        question = ask(
            self.life.versions,
            self.life.rows(),
            self.life.midnight.date(),
            self._looks,
            now=self.life.midnight + RUN_AT,
            taking=True,
        )
        return question, question.answer()

    def _judge(self, question: Question, report: Report) -> None:
        decision = report.decision
        if decision.action is Action.INVALID:
            self.seen.invalid = True
            self._say(decision.sentence)
            return
        live = question.experiment.live_treatments
        for result in report.results:
            if result.arm in live and result.metric.role is not Role.SECONDARY and result.speaks_against:
                harmed = self.truth.harmed(result.metric.name, result.arm)
                self.seen.found |= harmed and self.truth.harmful
                self.seen.wrong_harm |= not harmed
        if decision.action is Action.SHIP and decision.arm is not None:
            good = self.truth.worth_shipping(decision.arm)
            self.seen.found |= good
            self.seen.wrong_ship |= not good
        if decision.action is not Action.KEEP_RUNNING:
            self._say(decision.sentence)

    def _say(self, sentence: str) -> None:
        self.seen.said.append(f"day {self.life.day}: {sentence}")
