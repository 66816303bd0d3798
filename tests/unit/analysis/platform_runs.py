"""Decision runs and pages as the platform makes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from neonblue.analysis import MomentRow, Question, ask, look_of
from neonblue.contract.looks import LookMessage
from neonblue.contract.messages import ExperimentMessage
from neonblue.statistics import Estimate, MetricResult, Report
from tests.unit.analysis.lives import counted, day, midnight, rows_of

THREE = (("control", 1, True), ("t", 1, True), ("u", 1, True))


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
