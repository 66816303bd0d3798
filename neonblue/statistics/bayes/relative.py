"""Relative lifts as other engines compute them, for comparing with their figures.

Nothing here decides: a linearised or log-ratio interval is not dual to the test of the absolute difference,
so that the two can contradict each other. The engine's own lift is Fieller's (`fieller`), or the score
interval of the ratio (`score`).

Library only: no part of the platform calls it.
"""

from __future__ import annotations

import math

from neonblue.statistics.methods.fieller import UNBOUNDED, ZERO_BASELINE
from neonblue.statistics.methods.t_test import critical_value
from neonblue.statistics.result import Interval
from neonblue.statistics.status import Status, StatusCode

_LARGEST_LOG = 700.0  # exp of more has no double


def delta_lift_se(
    control: float, var_control: float, diff: float, var_diff: float, covariance: float
) -> float | Status:
    """Standard error of diff / |control| by linearisation (delta method); ZERO_BASELINE for a zero control.

    Parameters as in `fieller.fieller_limits`. Under-covers where the control mean is uncertain.
    """
    if control == 0:
        return ZERO_BASELINE
    ratio = diff / control
    variance = var_diff - 2 * ratio * covariance + ratio * ratio * var_control
    return math.sqrt(max(variance, 0.0)) / abs(control)


def log_ratio_interval(
    control: float, var_control: float, treatment: float, var_treatment: float, alpha: float = 0.05
) -> tuple[Interval, float] | Status:
    """Interval of treatment / control - 1 that is symmetric on the log scale, and the log's standard error.

    For proportions it is Katz's. ZERO_BASELINE for a zero control mean, RATIO_UNBOUNDED where the means do not have
    the same sign or the end exceeds any number, ZERO_VARIANCE where neither varies. Source: Katz et al. (1978),
    Biometrics 34, 469-474.
    """
    if control == 0:
        return ZERO_BASELINE
    ratio = treatment / control
    if ratio <= 0:
        return UNBOUNDED
    se = math.sqrt(var_control / control**2 + var_treatment / treatment**2)
    if se == 0:
        return Status(StatusCode.ZERO_VARIANCE, "Neither arm varies: no interval for their ratio.")
    margin = float(critical_value(alpha, math.inf)) * se
    # expm1 of the sum of logs keeps the digits of a small lift.
    log_ratio = math.log1p((treatment - control) / control)
    if log_ratio + margin > _LARGEST_LOG:
        return UNBOUNDED
    interval = Interval.at(math.expm1(log_ratio - margin), math.expm1(log_ratio + margin), alpha)
    return interval, se
