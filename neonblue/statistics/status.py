"""Why a quantity can't be given: a reason code a program can branch on and a sentence a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StatusCode(StrEnum):
    """Every reason for which this package returns no estimate. The values are stable: they are stored."""

    NOT_ENOUGH_UNITS = "not_enough_units"
    ZERO_VARIANCE = "zero_variance"
    ZERO_DENOMINATOR = "zero_denominator"
    ZERO_BASELINE = "zero_baseline"
    RATIO_UNBOUNDED = "ratio_unbounded"
    NO_USERS = "no_users"
    MISSING_ARM = "missing_arm"
    TIED_QUANTILE = "tied_quantile"
    SHARES_CHANGED = "shares_changed"
    COVARIATE_IMBALANCE = "covariate_imbalance"
    UNIT_MISMATCH = "unit_mismatch"
    IMPOSSIBLE_REQUEST = "impossible_request"
    IMPROPER_PRIOR = "improper_prior"
    INVALID_INPUT = "invalid_input"
    NO_LOOK = "no_look"
    TOO_EARLY = "too_early"


@dataclass(frozen=True, slots=True)
class Status:
    """Stands where an estimate would stand when there is none.

    `code` is the reason, `message` one sentence that says what is missing and, where it helps, what to do.
    A function of this package returns `Estimate | Status`; it never returns p = 1 or a zero-width interval
    to mean "unknown".
    """

    code: StatusCode
    message: str
