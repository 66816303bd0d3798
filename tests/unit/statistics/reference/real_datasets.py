"""Cases on public data files: their counts, tests, caps and adjustments through the engine."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np

from neonblue.statistics import CovariateMoments, Estimate, Moments, Status, Theta, sample_ratio
from neonblue.statistics.bayes.relative import log_ratio_interval
from neonblue.statistics.methods.cuped import adjust, cuped_test
from neonblue.statistics.methods.means import welch_test
from neonblue.statistics.methods.multiplicity import Procedure, judge
from neonblue.statistics.methods.proportions import pooled_test, unpooled_test
from neonblue.statistics.methods.quantiles import sample_quantile
from neonblue.statistics.methods.winsorization import pooled_caps, winsorize
from tests.unit.statistics.reference import Case, _fields

Columns = dict[str, list[str]]


def compute(case: Case) -> dict[str, Any]:
    names = case.inputs.get("files") or [case.inputs["file"]]
    tables = [_read(case.data_file(name)) for name in names]
    first = Path(names[0]).name
    if first.startswith("cookie_cats"):
        return _cookie_cats(tables[0], case.inputs["control"], case.inputs["treatment"])
    if first.startswith("hillstrom"):
        return _hillstrom(tables[0], case.inputs["control"])
    return _open_bandit(*tables)


def _read(path: Path) -> Columns:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def _cookie_cats(table: Columns, control: str, treatment: str) -> dict[str, Any]:
    version = np.array(table["test_version"])
    arms = [version == control, version == treatment]
    counts = [int(arm.sum()) for arm in arms]
    result: dict[str, Any] = {"n": counts, "srm_p": _srm_p(counts)}
    for metric in ("retention_1", "retention_7"):
        successes = np.array(table[metric]) == "True"
        result[metric] = _rates(
            *(Moments.proportion(int(successes[arm].sum()), int(arm.sum())) for arm in arms)
        )
    rounds = np.array(table["sum_gamerounds"], dtype=float)
    result["gamerounds"] = _rounds(rounds[arms[0]], rounds[arms[1]])
    return result


def _rounds(control: np.ndarray, treatment: np.ndarray) -> dict[str, Any]:
    arms = [control, treatment]
    moments = [Moments.from_values(values) for values in arms]
    test = _welch(*moments)
    trimmed = [Moments.from_values(values[values != 49854]) for values in arms]
    without = _welch(*trimmed)
    caps = pooled_caps(arms)
    capped = _welch(*(winsorize(values, caps).moments for values in arms))
    return {
        "mean": [arm.mean for arm in moments],
        "welch_t": test.statistic,
        "p": test.p_value,
        "without_outlier_49854": {
            "t": without.statistic,
            "p": without.p_value,
            "mean_control": trimmed[0].mean,
            "mean_treatment": trimmed[1].mean,
        },
        "winsorized_p999": {"cap": caps.upper, "t": capped.statistic, "p": capped.p_value},
        "median": [sample_quantile(values, 0.5) for values in arms],
    }


def _hillstrom(table: Columns, control: str) -> dict[str, Any]:
    segment = np.array(table["segment"])
    visit, history = (np.array(table[name], dtype=float) for name in ("visit", "history"))
    names = [str(name) for name in sorted(set(segment))]
    counts = {name: int((segment == name).sum()) for name in names}
    visits = {name: int(visit[segment == name].sum()) for name in names}
    arms = {name: Moments.proportion(visits[name], counts[name]) for name in names}
    mens, womens = "Mens E-Mail", "Womens E-Mail"
    pairs = {mens: (control, mens), womens: (control, womens), "Mens vs Womens": (womens, mens)}
    result: dict[str, Any] = {name: _rates(arms[c], arms[t]) for name, (c, t) in pairs.items()}
    p_values = [result[name]["p_two_sided"] for name in pairs]
    covariates = [
        CovariateMoments.from_values(visit[segment == name], history[segment == name])
        for name in (control, mens)
    ]
    return result | {
        "n": counts,
        "visits": visits,
        "srm_p": _srm_p(list(counts.values())),
        "holm": list(judge(p_values, Procedure.HOLM).adjusted),
        "BH": list(judge(p_values, Procedure.BENJAMINI_HOCHBERG).adjusted),
        "cuped_visit_with_history_mens_vs_none_gbstats": _cuped(*covariates),
    }


def _open_bandit(random: Columns, bts: Columns) -> dict[str, Any]:
    result: dict[str, Any] = {}
    arms = []
    for name, table in (("random", random), ("bts", bts)):
        clicks = sum(int(click) for click in table["click"])
        propensity = Moments.from_values([float(value) for value in table["propensity_score"]])
        result[name] = {
            "n": propensity.n,
            "clicks": clicks,
            "items": len(set(table["item_id"])),
            "mean_propensity": propensity.mean,
        }
        arms.append(Moments.proportion(clicks, propensity.n))
    return result | {"two_proportion": _rates(*arms)}


def _rates(control: Moments, treatment: Moments) -> dict[str, Any]:
    pooled, unpooled = pooled_test(control, treatment), unpooled_test(control, treatment)
    assert isinstance(pooled, Estimate)
    assert isinstance(unpooled, Estimate)
    variances = [arm.mean * (1 - arm.mean) / arm.n for arm in (control, treatment)]
    log_ratio = log_ratio_interval(control.mean, variances[0], treatment.mean, variances[1])
    assert not isinstance(log_ratio, Status)
    return {
        "p_control": control.mean,
        "p_treatment": treatment.mean,
        "diff": unpooled.diff,
        "lift": unpooled.diff / control.mean,
        "z_pooled": pooled.statistic,
        "p_two_sided": pooled.p_value,
        "ci95_diff_wald": _fields.ends(unpooled.interval),
        "lift_ci95_log": _fields.ends(log_ratio[0]),
    }


def _cuped(control: CovariateMoments, treatment: CovariateMoments) -> dict[str, Any]:
    adjustment = adjust(control, treatment, Theta.POOLED)
    test = cuped_test(control, treatment, theta=Theta.POOLED)
    assert not isinstance(adjustment, Status)
    assert isinstance(test, Estimate)
    return {
        "theta": adjustment.theta_control,
        "diff": test.diff,
        "se": test.se,
        "ci95": _fields.ends(test.interval),
        "p": test.p_value,
    }


def _welch(control: Moments, treatment: Moments) -> Estimate:
    test = welch_test(control, treatment)
    assert isinstance(test, Estimate)
    return test


def _srm_p(counts: list[int]) -> float:
    check = sample_ratio(counts, [1] * len(counts))
    assert not isinstance(check, Status)
    return check.p_value
