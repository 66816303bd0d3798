"""Families of lives: what is the same in all of them, what is drawn, and what is promised of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from neonblue.simulation.lives import with_effect, without_effect
from neonblue.simulation.lives.design import Design


@dataclass(frozen=True, slots=True)
class Family:
    """Lives of one kind. power: the share of true effects that is to be found; None: there are none."""

    key: str
    title: str
    draw: Callable[[Generator], Design]
    power: float | None = None


FAMILIES = (
    Family("planned", "no effect, planned size", without_effect.planned),
    Family("any_time", "no effect, confidence sequence", without_effect.any_time),
    Family("peeking", "no effect, the owner concludes at z = 1.96 or 2.33", without_effect.peeking),
    Family("changing", "no effect, ramps, drops, pauses, levels that move", without_effect.changing),
    Family("rare", "no effect, rates of 0.2 to 1 %, arms of 9:1 to 99:1", without_effect.rare),
    Family("spending", "no effect, revenue of 5 % buyers, 1:1 to 2:1", without_effect.spending),
    Family(
        "lopsided_spending", "no effect, revenue of 5 % buyers, 9:1 to 99:1", without_effect.lopsided_spending
    ),
    Family("covariates", "no effect, covariates with holes, missing values", without_effect.covariates),
    Family(
        "guarded", "no effect, 3 to 5 guardrails without a margin × 2 to 4 treatments", without_effect.guarded
    ),
    Family(
        "at_margin", "better, and losses of exactly 2 to 4 margins × 2 to 4 treatments", with_effect.at_margin
    ),
    Family("small", "no effect, plans of 8 to 340 units", without_effect.small),
    Family("imported", "no effect, a file and one look", without_effect.imported),
    Family("quantiles", "no effect, quantiles of smooth values", without_effect.quantiles),
    Family("tied_quantiles", "no effect, quantiles among ties", without_effect.tied_quantiles),
    Family("late", "no effect, late and early events, totals that grow", without_effect.late),
    Family("people", "no effect, people who are erased or linked", without_effect.people),
    Family(
        "restated",
        "one arm better, one worse, and sums that change once they have decided",
        with_effect.restated,
    ),
    Family("better", "one arm better, planned with a power of 80 %", with_effect.better, power=0.8),
    Family("worse", "one arm breaks a guardrail, planned with a power of 80 %", with_effect.worse, power=0.8),
)
BY_KEY = {family.key: family for family in FAMILIES}
