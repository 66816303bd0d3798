"""Cases of non-inferiority with absolute and relative margins."""

from __future__ import annotations

from typing import Any

from neonblue.statistics import Status
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.means import mean_effect
from neonblue.statistics.methods.noninferiority import (
    Direction,
    Margin,
    NonInferiority,
    non_inferior,
    non_inferior_proportion_score,
)
from neonblue.statistics.methods.proportions import proportion_effect
from tests.unit.statistics.reference import Case, _fields

SKIPPED = {
    "spotify_z_margin_times_control_mean_as_constant": "ignores the control mean's error; listed as wrong",
    "spotify_p": "ignores the control mean's error; listed as wrong",
}


def compute(case: Case) -> dict[str, Any]:
    arms = [case.inputs[arm] for arm in ("control", "treatment")]
    control, treatment = (_fields.moments(arm) for arm in arms)
    options = case.options
    relative = options.get("margin_type") == "relative"
    direction = Direction(options.get("direction", "higher_is_better"))
    margin = Margin(abs(options["margin"]), relative, direction)
    alpha = options.get("alpha", 0.05)
    if any("sum_of_squares" in arm for arm in arms):
        return _mean(_test(mean_effect(control, treatment), margin, alpha), alpha)
    wald = _test(proportion_effect(control, treatment), margin, alpha)
    score = non_inferior_proportion_score(control, treatment, margin, alpha)
    return _common(wald, alpha) | _proportion(wald, relative) | _score(score, relative)


def _test(effect: Effect | Status, margin: Margin, alpha: float) -> NonInferiority | Status:
    return effect if isinstance(effect, Status) else non_inferior(effect, margin, alpha)


def _common(test: NonInferiority | Status, alpha: float) -> dict[str, Any]:
    if isinstance(test, Status):
        return _fields.error(test)
    level = f"{round(100 * (1 - alpha), 6):g}"
    return {
        "diff": test.diff,
        "se": test.se,
        "p_noninferior": test.p_value,
        "log10_p_noninferior": test.log10_p,
        **{f"one_sided_bound_{name}": test.bound for name in (level, level.replace(".", "_"))},
        f"non_inferior_at_{alpha}".replace(".", "_"): test.non_inferior,
    }


def _mean(test: NonInferiority | Status, alpha: float) -> dict[str, Any]:
    result = _common(test, alpha)
    if isinstance(test, NonInferiority):
        result |= {"t": test.statistic, "t_linear_contrast": test.statistic, "df": test.df}
    return result


def _proportion(test: NonInferiority | Status, relative: bool) -> dict[str, Any]:
    if isinstance(test, Status):
        return {}
    return {"z_linear_contrast" if relative else "z": test.statistic}


def _score(test: NonInferiority | Status, relative: bool) -> dict[str, Any]:
    if isinstance(test, Status):
        return {}
    if relative:
        return {"score_mn_ratio_z": test.statistic, "score_mn_ratio_p": test.p_value}
    return {"score_mn_z": test.statistic, "score_mn_p_noninferior": test.p_value}
