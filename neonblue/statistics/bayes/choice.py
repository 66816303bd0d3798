"""Which arm a posterior chooses: a rule on probabilities that were computed elsewhere.

Library only: no part of the platform calls it.
"""

from __future__ import annotations

from enum import StrEnum

THRESHOLD = 0.975


class Choice(StrEnum):
    """What a posterior says at its threshold."""

    TREATMENT = "treatment"
    CONTROL = "control"
    NEITHER = "neither"


def choose(chance_to_win: float, threshold: float = THRESHOLD) -> Choice:
    """The arm whose probability to be better reaches the threshold.

    chance_to_win: P(treatment is better), in [0, 1]; threshold: in (0.5, 1). 97.5 % under a flat prior is the two-sided
    test at 5 %: at one look it errs as often, and looking again costs as much. Raises ValueError for values out of
    range. Source: Robinson (2015), Is Bayesian A/B
    testing immune to peeking?
    """
    if not 0 <= chance_to_win <= 1:
        raise ValueError(f"chance_to_win: must lie in [0, 1], got {chance_to_win}")
    if not 0.5 < threshold < 1:
        raise ValueError(f"threshold: must lie inside (0.5, 1), got {threshold}")
    if chance_to_win >= threshold:
        return Choice.TREATMENT
    return Choice.CONTROL if 1 - chance_to_win >= threshold else Choice.NEITHER
