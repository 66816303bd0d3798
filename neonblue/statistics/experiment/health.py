"""Whether an experiment's data can be trusted: the checks that come before any estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import scipy  # its `stats`, which takes long to import, when it is first used

from neonblue.statistics import numbers
from neonblue.statistics.numerics import tails
from neonblue.statistics.result import Estimate
from neonblue.statistics.sequential.confidence_sequence import evidence_p
from neonblue.statistics.sequential.sample_ratio import sequential_sample_ratio
from neonblue.statistics.status import Status, StatusCode

_Counts: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float64]]"
_Flags: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"

SMALL_EXPECTED_COUNT = 5.0
_EXACT_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Observed units per arm against the allocation.

    observed, expected: units per arm, expected 0 in arms of weight zero; chi2 and df over arms of positive
    weight; p_value, log10_p: upper tail. share: the first arm's of two in one version, else None.
    detected: p_value < threshold. small_expected: an expected count is below 5, where chi-square is rough.
    users_in_zero_weight_arms: units that no allocation can have put where they are: an error by itself.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    chi2: float
    df: int
    p_value: float
    log10_p: float
    threshold: float
    detected: bool
    small_expected: bool
    users_in_zero_weight_arms: int
    share: float | None = None

    @classmethod
    def of(
        cls,
        observed: _Counts,
        expected: _Counts,
        chi2: float,
        df: int,
        threshold: float,
        strays: float,
        share: float | None = None,
    ) -> SampleRatio:
        """From the statistic. observed, expected: per arm; strays: units in arms of weight zero."""
        p_value, log10_p = (float(value) for value in tails.chi2_sf(chi2, df))
        return cls(
            observed=tuple(int(count) for count in observed),
            expected=tuple(float(count) for count in expected),
            chi2=chi2,
            df=df,
            p_value=p_value,
            log10_p=log10_p,
            threshold=threshold,
            detected=p_value < threshold,
            small_expected=bool(expected[expected > 0].min() < SMALL_EXPECTED_COUNT),
            users_in_zero_weight_arms=int(strays),
            share=share,
        )

    @property
    def exact_p(self) -> float | None:
        """The two-sided binomial p-value for two arms of at most ten million units, else None."""
        used = [count for count, expected in zip(self.observed, self.expected, strict=True) if expected]
        if self.share is None or sum(used) > _EXACT_LIMIT:
            return None
        return float(scipy.stats.binomtest(used[0], sum(used), self.share).pvalue)

    @property
    def healthy(self) -> bool:
        """No mismatch detected and nobody in an arm of weight zero."""
        return not self.detected and self.users_in_zero_weight_arms == 0


class Finding(StrEnum):
    """What a check found. UNTOLD: nothing, for want of units or of what it compares; that is not FINE."""

    FINE = "fine"
    UNTOLD = "untold"
    WARNED = "warned"
    FAILED = "failed"


def finding_of(*, passed: bool, blocking: bool, told: bool) -> Finding:
    """From the fields of a `HealthCheck`, also where they come from an answer."""
    if passed:
        return Finding.FINE if told else Finding.UNTOLD
    return Finding.FAILED if blocking else Finding.WARNED


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check: whether it passed, the value it looked at, its threshold, and a sentence with both.

    blocking: a failure makes every result of the experiment invalid; else it is a warning. told: whether it could be
    told, for which units or what is compared may be wanting; a check that could not tell passes, and says so.
    """

    name: str
    passed: bool
    value: float
    threshold: float
    message: str
    blocking: bool = True
    told: bool = True

    @property
    def finding(self) -> Finding:
        """The three in one word."""
        return finding_of(passed=self.passed, blocking=self.blocking, told=self.told)


def sample_ratio(
    observed: Sequence[int], weights: Sequence[float], threshold: float = 0.001
) -> SampleRatio | Status:
    """Pearson's chi-square test that units fell into arms by the allocation weights.

    observed: units per arm, 0 for an arm without users (never left out); weights: allocation shares >= 0 in the
    same order, of any sum. Arms of weight zero are counted apart and take no part in the test. Returns NO_USERS
    without units in arms of positive weight, and IMPOSSIBLE_REQUEST with fewer than two such arms. Raises
    ValueError for negative or mismatched input. Source: Pearson (1900); Fabijan et al. (2019) on the threshold.
    """
    counts, shares = _allocation(observed, weights)
    positive = shares > 0
    problem = _no_test(counts, positive)
    if problem:
        return problem
    used = counts[positive]
    total = int(used.sum())
    expected = np.where(positive, total * shares / shares.sum(), 0.0)
    chi2 = float(((used - expected[positive]) ** 2 / expected[positive]).sum())
    df = int(positive.sum()) - 1
    share = float(expected[positive][0]) / total if df == 1 else None
    return SampleRatio.of(counts, expected, chi2, df, threshold, counts[~positive].sum(), share)


def sample_ratio_over_versions(
    observed: Sequence[Sequence[int]], weights: Sequence[Sequence[float]], threshold: float = 0.001
) -> SampleRatio | Status:
    """One test over several allocation versions: totals per arm against the sum of each version's expectation.

    observed[v][arm], weights[v][arm]: as in `sample_ratio`, arms in one order throughout, 0 where a version
    has no such arm. The statistic is (O - E)' C^+ (O - E) with C the sum of the versions' multinomial
    covariances, its df the rank of C: a drift that each version hides is found, and a change of allocation
    is not mistaken for one. exact_p is None. Statuses and errors as `sample_ratio`.
    """
    if len(observed) != len(weights) or not observed:
        raise ValueError(f"weights: need one list per version, got {len(weights)} for {len(observed)}")
    arms = len(observed[0])
    difference, expected, covariance = np.zeros(arms), np.zeros(arms), np.zeros((arms, arms))
    strays, totals = 0, np.zeros(arms)
    for version, version_weights in zip(observed, weights, strict=True):
        if len(version) != arms:
            raise ValueError(f"observed: every version needs the same {arms} arms, got {len(version)}")
        counts, shares = _allocation(version, version_weights)
        positive = shares > 0
        strays += int(counts[~positive].sum())
        totals += counts
        placed, share = np.where(positive, counts, 0.0), shares / shares.sum()
        expected += placed.sum() * share
        difference += placed - placed.sum() * share
        covariance += placed.sum() * (np.diag(share) - np.outer(share, share))
    problem = _no_test(np.where(expected > 0, totals, 0.0), expected > 0)
    if problem:
        return problem
    df = int(np.linalg.matrix_rank(covariance, hermitian=True))
    chi2 = float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)
    return SampleRatio.of(totals, expected, chi2, df, threshold, strays)


def stray_units(observed: Sequence[int], weights: Sequence[float]) -> int:
    """Units in arms of weight zero, >= 0. Errors as `sample_ratio`."""
    counts, shares = _allocation(observed, weights)
    return int(counts[shares == 0].sum())


def sample_ratio_check(test: SampleRatio | Status, name: str, strays: int = 0) -> HealthCheck:
    """A sample-ratio test of the version (or versions) `name` as a health check that blocks.

    It fails on a mismatch and on any unit in an arm of weight zero, `strays` where there is no test. Too little
    data to test passes with a message that says so: nothing is wrong yet, and nothing is claimed.
    """
    label = f"sample_ratio ({name})"
    count = strays if isinstance(test, Status) else test.users_in_zero_weight_arms
    if count:
        message = (
            f"{count:,} units are in arms whose weight is zero: the allocation was not what was configured."
        )
        return HealthCheck(label, False, float(count), 0.0, message)
    if isinstance(test, Status):
        return HealthCheck(label, True, math.nan, math.nan, test.message, told=False)
    return _ratio_check(label, test, test.detected, test.p_value)


def sequential_sample_ratio_checks(
    observed: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]],
    names: Sequence[str],
    threshold: float = 0.001,
) -> list[HealthCheck]:
    """The sample-ratio checks of an experiment that is watched: e-values, one per version and their product over all.

    observed[v][arm], weights[v][arm], names[v]: as in `sample_ratio_over_versions`. A check fails at 1 / e below
    `threshold`: that happens at any look, however many there are, in at most that share of sound experiments. Units in
    arms of weight zero fail as in `sample_ratio_check`. Errors as `sample_ratio`. Source: Lindon and Malek (2022).
    """
    checks, log_e = [], 0.0
    for counts, shares, name in zip(observed, weights, names, strict=True):
        plain = sample_ratio(counts, shares, threshold)
        evidence = sequential_sample_ratio(shares, [counts])
        if isinstance(plain, Status) or isinstance(evidence, Status):
            checks.append(sample_ratio_check(plain, name, stray_units(counts, shares)))
            continue
        log_e += evidence[-1].log_e
        checks.append(_evidence_check(evidence[-1].log_e, name, plain, threshold))
    if len(names) > 1:
        overall = sample_ratio_over_versions(observed, weights, threshold)
        if isinstance(overall, SampleRatio):
            checks.append(_evidence_check(log_e, "all versions", overall, threshold))
    return checks


def multiply_exposed(units: int, total: int, threshold: float = 0.01) -> HealthCheck:
    """Whether the share of units that were exposed to several arms is at most `threshold`.

    units: units exposed to two or more arms (they are left out of the analysis); total: all exposed units, > 0.
    Raises ValueError unless 0 <= units <= total.
    """
    if not 0 <= units <= total or total == 0:
        raise ValueError(f"units: must lie between 0 and total={total}, and total above 0, got {units}")
    share = units / total
    message = (
        f"{units:,} of {total:,} units ({numbers.share(share)}) were exposed to several arms; "
        f"at most {numbers.share(threshold)} may be."
    )
    return HealthCheck("multiply_exposed", share <= threshold, share, threshold, message)


def covariate_balance(test: Estimate, name: str = "covariate", threshold: float = 0.001) -> HealthCheck:
    """Whether a value measured before exposure has the same mean in both arms, by the test of its difference.

    A p-value below `threshold` says that the arms differed before the experiment could have changed anything. It
    warns and does not block: with many covariates one of them differs by chance.
    """
    verdict = "differs between" if test.p_value < threshold else "agrees in"
    message = (
        f"{name} before exposure {verdict} the arms: difference {numbers.number(test.diff, sign=True)}, "
        f"{numbers.p_is(test.p_value)}."
    )
    passed = test.p_value >= threshold
    return HealthCheck("covariate_balance", passed, test.p_value, threshold, message, blocking=False)


def _evidence_check(log_e: float, name: str, ratio: SampleRatio, threshold: float) -> HealthCheck:
    p_value, _ = evidence_p(log_e)
    detected = p_value < threshold
    return _ratio_check(f"sample_ratio ({name})", ratio, detected, p_value, "always-valid ")


def _ratio_check(
    label: str, test: SampleRatio, detected: bool, p_value: float, kind: str = ""
) -> HealthCheck:
    """The check of a test. p_value: the one that decides, of this `kind`; a split of few units tells nothing."""
    told = detected or not test.small_expected
    expected = ", ".join(f"{value:,.0f}" for value in test.expected)
    seen = ", ".join(f"{count:,}" for count in test.observed)
    message = f"Too few units to tell: {seen} per arm, at least {SMALL_EXPECTED_COUNT:g} expected in each are needed."
    if told:
        verdict = "do not fit" if detected else "fit"
        told_by = f"{kind}{numbers.p_is(p_value)}"
        message = f"Units per arm ({seen}) {verdict} the allocation ({expected} expected): {told_by}."
    return HealthCheck(label, not detected, p_value, test.threshold, message, told=told)


def _allocation(observed: Sequence[int], weights: Sequence[float]) -> tuple[_Counts, _Counts]:
    counts, shares = np.array(observed, dtype=float), np.array(weights, dtype=float)
    if counts.shape != shares.shape or counts.ndim != 1:
        raise ValueError(f"weights: need one per arm, got {shares.size} for {counts.size} arms")
    if not np.all(np.isfinite(counts)) or (counts < 0).any() or (counts != np.floor(counts)).any():
        raise ValueError(f"observed: counts must be whole numbers >= 0, got {list(observed)}")
    if not np.all(np.isfinite(shares)) or (shares < 0).any() or not shares.sum() > 0:
        raise ValueError(f"weights: must be >= 0 with a positive sum, got {list(weights)}")
    return counts, shares


def _no_test(counts: _Counts, positive: _Flags) -> Status | None:
    if positive.sum() < 2:
        return Status(
            StatusCode.IMPOSSIBLE_REQUEST, "Only one arm has a positive weight: there is no ratio to test."
        )
    if counts[positive].sum() == 0:
        return Status(StatusCode.NO_USERS, "No units in any arm yet: the sample ratio can't be checked.")
    return None
