"""How results of the engine appear in the fields of the cases."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from neonblue.statistics import (
    CovariateMoments,
    Estimate,
    Interval,
    Lift,
    Moments,
    RatioMoments,
    Status,
)

Fields = dict[str, Any]


def ends(value: Interval | Lift | Status) -> list[float] | Fields:
    """[lower, upper], or the status where there is no interval."""
    if isinstance(value, Status):
        return error(value)
    interval = value.interval if isinstance(value, Lift) else value
    return [interval.lower, interval.upper]


def one_sided_and_log(estimate: Estimate) -> Fields:
    """The p-values of a test under the cases' names."""
    return {
        "p_two_sided": estimate.p_value,
        "log10_p_two_sided": estimate.log10_p,
        "p_greater": estimate.p_greater,
        "p_less": estimate.p_less,
    }


def error(status: Status) -> Fields:
    return {"error": str(status.code)}


def number(value: float) -> float | None:
    """A number, or null where it is not defined."""
    return None if value != value else value


def level_name(alpha: float) -> str:
    """`ci95` for an alpha of 0.05."""
    return f"ci{round(100 * (1 - alpha), 6):g}".replace(".", "_")


def moments(arm: Mapping[str, Any]) -> Moments:
    """An arm's moments, with its exact sums where the case gives them."""
    exact = Fraction(arm.get("sum_exact", arm["sum"]))
    total = float(exact)
    squares = float(Fraction(arm.get("sum_of_squares_exact", arm.get("sum_of_squares", arm["sum"]))))
    return Moments(
        int(arm["n"]), total, squares, arm.get("centered_ss_exact"), float(exact - Fraction(total))
    )


def ratio_moments(arm: Mapping[str, Any], raw: Mapping[str, Any] | None) -> RatioMoments:
    """An arm's ratio moments; from its units where the case lists them, as their sums are rounded."""
    if raw is not None:
        return RatioMoments.from_values(raw["m"], raw["d"])
    return RatioMoments(int(arm["n"]), *(arm[k] for k in ("sum_m", "sum_d", "sum_mm", "sum_dd", "sum_md")))


def covariate_moments(arm: Mapping[str, Any], raw: Mapping[str, Any] | None) -> CovariateMoments:
    """An arm's covariate moments; from its units where the case lists them, as their sums are rounded."""
    if raw is not None:
        return CovariateMoments.from_values(raw["y"], raw["x"])
    return CovariateMoments(
        int(arm["n"]), *(arm[k] for k in ("sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"))
    )
