"""What is true of a life, beside which everything that is said of it is held."""

from __future__ import annotations

from neonblue.simulation.lives.design import Design
from neonblue.simulation.lives.measures import Measure

_EQUAL = 1e-12  # of a margin: an effect that is meant to lie on it does


class Truth:
    """A design's true effects, by metric and arm."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._measures = {measure.key: measure for measure in design.measures}

    @property
    def harmful(self) -> bool:
        """Whether finding the harm of some arm is what the life is about: no arm is worth shipping."""
        return not any(self.worth_shipping(arm) for arm in self._design.arms[1:])

    def difference(self, metric: str, arm: str) -> float:
        """The arm's mean, or quantile, less control's."""
        return self._measures[metric].effects.get(arm, 0.0)

    def harmed(self, metric: str, arm: str) -> bool:
        """Whether the arm is worse than it may be: at all, or by more than the margin."""
        measure = self._measures[metric]
        return measure.gain(arm) < 0 if measure.margin is None else -measure.gain(arm) > _reached(measure)

    def worth_shipping(self, arm: str) -> bool:
        """Whether a primary metric is better, and no guardrail loses as much as its margin."""
        roles = [(measure.message.role, measure) for measure in self._design.measures]
        better = any(role == "primary" and measure.gain(arm) > 0 for role, measure in roles)
        lost = any(
            role == "guardrail"
            and measure.margin is not None
            and -measure.gain(arm) >= measure.margin * (1 - _EQUAL)
            for role, measure in roles
        )
        return better and not lost


def _reached(measure: Measure) -> float:
    return (measure.margin or 0.0) * (1 + _EQUAL)
