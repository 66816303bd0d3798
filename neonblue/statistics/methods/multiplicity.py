"""Many comparisons at once: adjusted p-values, verdicts, and intervals at the level that matches the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ROUNDING = 1e-14
"""Relative: a p-value that lies exactly on its line may come out a few roundings above it."""


class Procedure(StrEnum):
    """What is controlled: the first four the chance of any false claim, the last two the share of false claims."""

    BONFERRONI = "bonferroni"
    HOLM = "holm"
    HOCHBERG = "hochberg"
    HOMMEL = "hommel"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    BENJAMINI_YEKUTIELI = "benjamini_yekutieli"


@dataclass(frozen=True, slots=True)
class Family:
    """A family of tests judged together, in the order given.

    adjusted: adjusted p-values in [0, 1], None where the p-value is missing. rejected: the verdict at `alpha`; a
    missing p-value is never rejected. interval_alpha: for each test the error rate at which its own interval
    excludes "no difference" exactly when the family rejects it; None where the p-value is missing.
    """

    procedure: Procedure
    alpha: float
    adjusted: tuple[float | None, ...]
    rejected: tuple[bool, ...]
    interval_alpha: tuple[float | None, ...]


def judge(p_values: Sequence[float | None], procedure: Procedure, alpha: float = 0.05) -> Family:
    """Adjust a family of p-values and give each its verdict and the level of its interval.

    p_values: in [0, 1], None or nan where a test gave none: as in R those stay missing and do not count.
    The interval's alpha is the cut-off the p-value was compared with (for Benjamini-Hochberg R alpha / m, the
    false-coverage rule). Holm, Bonferroni, Hochberg (independent or positively dependent tests) and Hommel
    control the family-wise error, Benjamini-Hochberg (independent or positively dependent) and
    Benjamini-Yekutieli (any) the false discovery rate. Raises ValueError for p-values outside [0, 1] or alpha
    outside (0, 1). Sources: Holm (1979), Hochberg (1988), Hommel (1988), Benjamini and Hochberg (1995),
    Benjamini and Yekutieli (2001, 2005).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: must lie inside (0, 1), got {alpha}")
    given = [(i, p) for i, p in enumerate(p_values) if p is not None and not math.isnan(p)]
    if any(not 0 <= p <= 1 for _, p in given):
        raise ValueError("p_values: must lie in [0, 1] or be missing")
    adjusted: list[float | None] = [None] * len(p_values)
    rejected = [False] * len(p_values)
    levels: list[float | None] = [None] * len(p_values)
    if given:
        values = np.array([p for _, p in given])
        order = np.argsort(values, kind="stable")
        adjusted_values = _ADJUST[procedure](values[order])
        verdicts = adjusted_values <= alpha * (1 + _ROUNDING)
        adjusted_values = np.where(verdicts, np.minimum(adjusted_values, alpha), adjusted_values)
        cut_offs = _cut_offs(procedure, values[order], verdicts, alpha)
        for place, rank in enumerate(order):
            index = given[int(rank)][0]
            adjusted[index] = float(adjusted_values[place])
            rejected[index] = bool(verdicts[place])
            levels[index] = float(cut_offs[place])
    return Family(procedure, alpha, tuple(adjusted), tuple(rejected), tuple(levels))


def judge_shared(p_values: Sequence[float | None], tests: int, alpha: float = 0.05) -> Family:
    """Bonferroni over so many tests, of which these are some: also those count that are not given, or are missing.

    tests: at least as many as p-values. Errors as `judge`.
    """
    if tests < len(p_values):
        raise ValueError(f"tests: there are {len(p_values)} p-values, got {tests}")
    others = [1.0] * (tests - len(p_values))
    whole = judge([*(1.0 if p is None else p for p in p_values), *others], Procedure.BONFERRONI, alpha)

    def kept(values: tuple[float | None, ...]) -> tuple[float | None, ...]:
        return tuple(None if p is None else value for p, value in zip(p_values, values, strict=False))

    rejected = whole.rejected[: len(p_values)]
    return Family(whole.procedure, alpha, kept(whole.adjusted), rejected, kept(whole.interval_alpha))


def _bonferroni(p: FloatArray) -> FloatArray:
    return np.minimum(p * p.size, 1.0)


def _holm(p: FloatArray) -> FloatArray:
    return np.minimum(np.maximum.accumulate(p * np.arange(p.size, 0, -1)), 1.0)


def _hochberg(p: FloatArray) -> FloatArray:
    return np.minimum(_from_largest(p * np.arange(p.size, 0, -1)), 1.0)


def _hommel(p: FloatArray) -> FloatArray:
    """Wright's (1992) algorithm."""
    m = p.size
    ranks = np.arange(1, m + 1)
    smallest = float(np.min(m * p / ranks))
    adjusted = np.full(m, smallest)
    for size in range(m - 1, 1, -1):
        low, high = slice(0, m - size + 1), slice(m - size + 1, m)
        bound = float(np.min(size * p[high] / np.arange(2, size + 1)))
        candidate = np.empty(m)
        candidate[low] = np.minimum(size * p[low], bound)
        candidate[high] = candidate[m - size]
        adjusted = np.maximum(adjusted, candidate)
    return np.asarray(np.maximum(adjusted, p))


def _benjamini_hochberg(p: FloatArray) -> FloatArray:
    return np.minimum(_from_largest(p * p.size / np.arange(1, p.size + 1)), 1.0)


def _benjamini_yekutieli(p: FloatArray) -> FloatArray:
    return np.minimum(_from_largest(p * p.size * _harmonic(p.size) / np.arange(1, p.size + 1)), 1.0)


_ADJUST = {
    Procedure.BONFERRONI: _bonferroni,
    Procedure.HOLM: _holm,
    Procedure.HOCHBERG: _hochberg,
    Procedure.HOMMEL: _hommel,
    Procedure.BENJAMINI_HOCHBERG: _benjamini_hochberg,
    Procedure.BENJAMINI_YEKUTIELI: _benjamini_yekutieli,
}


def _from_largest(values: FloatArray) -> FloatArray:
    return np.minimum.accumulate(values[::-1])[::-1]


def _harmonic(m: int) -> float:
    return float(np.sum(1 / np.arange(1, m + 1)))


def _cut_offs(procedure: Procedure, p: FloatArray, verdicts: NDArray[np.bool_], alpha: float) -> FloatArray:
    """For sorted p-values the error rates that separate the rejected from the rest."""
    m, claims = p.size, int(verdicts.sum())
    if procedure is Procedure.BONFERRONI:
        return np.full(m, alpha / m)
    if procedure is Procedure.HOLM:
        # Each rejected test met its own step; all others fell at the first step that failed.
        steps = np.minimum(np.arange(m), claims)
        return np.asarray(alpha / (m - np.minimum(steps, m - 1)))
    if procedure is Procedure.HOCHBERG:
        return np.full(m, alpha / (m - max(claims, 1) + 1))
    if procedure is Procedure.HOMMEL:
        return np.full(m, alpha / _hommel_size(p, alpha))
    share = max(claims, 1) * alpha / m
    return np.full(m, share / (_harmonic(m) if procedure is Procedure.BENJAMINI_YEKUTIELI else 1.0))


def _hommel_size(p: FloatArray, alpha: float) -> int:
    """The largest j with p_(m-j+k) > k alpha / j for all k <= j; Hommel rejects at alpha / j, or all without one."""
    m = p.size
    for size in range(m, 0, -1):
        if np.all(p[m - size :] > np.arange(1, size + 1) * alpha / size):
            return size
    return 1
