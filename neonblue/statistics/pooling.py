"""One difference out of several strata's, with Cochran-Mantel-Haenszel weights."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.statistics.effect import Effect


def stratified_effect(strata: Sequence[Effect]) -> Effect:
    """The mean of the strata's differences at weights w = n_c n_t / (n_c + n_t), with the variance that follows.

    d = sum of w d_s / sum of w and Var(d) = sum of w^2 Var(d_s) / (sum of w)^2; control values likewise. The weights
    are those that give the smallest variance where the units vary alike everywhere, so a lopsided stratum can't drown
    the others. Degrees of freedom by Satterthwaite over every arm of every stratum. ValueError where no stratum varies.
    Source: Cochran (1954), Biometrics 10; Mantel and Haenszel (1959).
    """
    if not any(effect.variance > 0 for effect in strata):
        raise ValueError("strata: at least one must vary")
    information = [e.n_control * e.n_treatment / (e.n_control + e.n_treatment) for e in strata]
    weighted = [(w / sum(information), e) for w, e in zip(information, strata, strict=True)]
    parts = [(w * w * e.var_from_control, e.n_control) for w, e in weighted]
    parts += [(w * w * e.var_from_treatment, e.n_treatment) for w, e in weighted]
    total = sum(variance for variance, _ in parts)
    error = sum((variance / total) ** 2 / (n - 1) for variance, n in parts if variance > 0)
    return Effect(
        method=next(e.method for e in strata if e.variance > 0),
        n_control=sum(e.n_control for e in strata),
        n_treatment=sum(e.n_treatment for e in strata),
        control=sum(w * e.control for w, e in weighted),
        diff=sum(w * e.diff for w, e in weighted),
        var_control=sum(w * w * e.var_control for w, e in weighted),
        var_from_control=sum(w * w * e.var_from_control for w, e in weighted),
        var_from_treatment=sum(w * w * e.var_from_treatment for w, e in weighted),
        covariance=sum(w * w * e.covariance for w, e in weighted),
        normal=all(e.normal for e in strata if e.variance > 0),
        freedom=1 / error,
    )
