"""One difference out of several strata's, with Cochran, Mantel and Haenszel's weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.lopsided import with_raised_variance


def cmh_weight(n_control: int, n_treatment: int) -> float:
    """n_c n_t / (n_c + n_t), the information of a stratum: 0 where an arm is empty, n / 4 at equal arms."""
    return n_control * n_treatment / (n_control + n_treatment) if n_control and n_treatment else 0.0


def stratified_effect(strata: Sequence[Effect]) -> Effect:
    """The mean of the strata's differences at weights w = n_c n_t / (n_c + n_t), with the variance that follows.

    d = sum of w d_s / sum of w and Var(d) = sum of w^2 Var(d_s) / (sum of w)^2; control values likewise. The weights
    give the smallest variance where units vary alike everywhere, so a lopsided stratum can't drown the others. Each
    stratum brings its own variances, so the effect may differ between strata. An arm whose values are all alike in a
    stratum tells nothing of its spread: it takes that of the same arm in the others, so that a handful of units
    without an outcome does not count as certain. Lopsided strata of a skewed metric have the variance of
    `with_raised_variance`. Degrees of freedom by Satterthwaite over the arms that vary.
    ValueError where no stratum varies. Source: Cochran (1954), Biometrics 10; Mantel and Haenszel (1959); Greenland
    and Robins (1985), Biometrics 41; Satterthwaite (1946).
    """
    if not any(effect.variance > 0 for effect in strata):
        raise ValueError("strata: at least one must vary")
    information = [cmh_weight(e.n_control, e.n_treatment) for e in strata]
    shares = [w / math.fsum(information) for w in information]
    leading = max(zip(information, strata, strict=True), key=lambda pair: (pair[1].variance > 0, pair[0]))[1]
    full = [_with_borrowed_spread(effect, strata) for effect in strata]
    if not leading.normal:
        full = [with_raised_variance(effect) for effect in full]

    def mean(field: str, power: int = 1) -> float:
        return math.fsum(w**power * getattr(e, field) for w, e in zip(shares, full, strict=True))

    return Effect(
        method=leading.method,
        n_control=sum(e.n_control for e in strata),
        n_treatment=sum(e.n_treatment for e in strata),
        control=mean("control"),
        diff=mean("diff"),
        var_control=mean("var_control", 2),
        var_from_control=mean("var_from_control", 2),
        var_from_treatment=mean("var_from_treatment", 2),
        covariance=mean("covariance", 2),
        normal=leading.normal,
        freedom=_freedom(shares, strata, full),
        raised=any(effect.raised for effect in full),
    )


def _freedom(shares: Sequence[float], own: Sequence[Effect], full: Sequence[Effect]) -> float:
    """Of the variances in `full`, without the arms that have none of their own."""
    parts = []
    for w, e, f in zip(shares, own, full, strict=True):
        if e.var_from_control > 0:
            parts.append((w * w * f.var_from_control, e.n_control))
        if e.var_from_treatment > 0:
            parts.append((w * w * f.var_from_treatment, e.n_treatment))
    total = math.fsum(variance for variance, _ in parts)
    return 1 / math.fsum((variance / total) ** 2 / (n - 1) for variance, n in parts)


def _with_borrowed_spread(effect: Effect, strata: Sequence[Effect]) -> Effect:
    if effect.var_from_control == 0:
        control = [(e, e.n_control) for e in strata if e.var_from_control > 0]
        effect = replace(
            effect,
            var_control=_per_unit(control, "var_control") / effect.n_control,
            var_from_control=_per_unit(control, "var_from_control") / effect.n_control,
            covariance=_per_unit(control, "covariance") / effect.n_control,
        )
    if effect.var_from_treatment == 0:
        treatment = [(e, e.n_treatment) for e in strata if e.var_from_treatment > 0]
        spread = _per_unit(treatment, "var_from_treatment")
        effect = replace(effect, var_from_treatment=spread / effect.n_treatment)
    return effect


def _per_unit(varied: Sequence[tuple[Effect, int]], field: str) -> float:
    """The variance (or covariance) of a single unit within the strata, each arm n its units; 0 without strata."""
    freedom = sum(n - 1 for _, n in varied)
    return math.fsum(n * (n - 1) * getattr(e, field) for e, n in varied) / freedom if freedom else 0.0
