"""Every kind of metric declares itself once, and what it declares is what is done with it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from neonblue.statistics import (
    CovariateMoments,
    MetricKind,
    Moments,
    PartialCovariateMoments,
    QuantileSummary,
    RatioMoments,
    analyze_metric,
)
from neonblue.statistics.methods.by_kind import KINDS, AnyMoments, added, can_be_added
from neonblue.statistics.methods.kind import Form

VALUES, BEFORE = [1.0, 3.0, 2.0, 5.0], [2.0, 1.0, 4.0, 3.0]
COVARIATE = CovariateMoments.from_values(VALUES, BEFORE)
EACH: tuple[AnyMoments, ...] = (
    Moments.from_values([0.0, 1.0, 1.0, 0.0]),
    RatioMoments.from_values(VALUES, BEFORE),
    COVARIATE,
    PartialCovariateMoments(COVARIATE, Moments.from_values([0.0, 1.0])),
    QuantileSummary.from_values([0.0, 1.0, 3.0, 7.0], 0.5),
)
FORMS = [
    pytest.param(kind, form, id=f"{kind} {form.moments.__name__}")
    for kind, declared in KINDS.items()
    for form in declared.forms
]


def test_every_kind_is_registered() -> None:
    assert set(KINDS) == set(MetricKind)


@pytest.mark.parametrize("kind", MetricKind)
def test_a_kind_takes_the_moments_it_declares_and_no_others(kind: MetricKind) -> None:
    declared = {form.moments for form in KINDS[kind].forms}
    for moments in EACH:
        if type(moments) in declared:
            assert analyze_metric(kind, moments, moments).n_control == moments.n
        else:
            with pytest.raises(ValueError, match=f"a {kind} metric can't be computed from"):
                analyze_metric(kind, moments, moments)


@pytest.mark.parametrize("moments", EACH, ids=lambda moments: type(moments).__name__)
def test_moments_add_up_where_a_kind_says_so_and_not_with_others(moments: AnyMoments) -> None:
    merges = {form.merge for kind in KINDS.values() for form in kind.forms if form.moments is type(moments)}
    assert len(merges) == 1, "the same moments add up alike whatever kind has them"
    assert can_be_added(moments) == (merges != {None})
    if can_be_added(moments):
        assert added(moments, moments).n == 2 * moments.n
    for other in EACH:
        if other is not moments or not can_be_added(moments):
            with pytest.raises(ValueError, match="can't be added up"):
                added(moments, other)


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_the_columns_of_a_form_are_its_fields_in_their_order(
    kind: MetricKind, form: Form[AnyMoments]
) -> None:
    names = [field.name for field in fields(form.moments)]
    assert list(form.columns) == names[1 : 1 + len(form.columns)]


def test_what_kinds_are_used_for_follows_from_what_they_declare() -> None:
    def those(trait: str) -> set[MetricKind]:
        return {kind for kind, declared in KINDS.items() if getattr(declared, trait)}

    assert those("adds_up") == set(MetricKind) - {MetricKind.QUANTILE}
    assert those("takes_covariate") == {MetricKind.MEAN, MetricKind.PROPORTION}
    assert those("is_share") == {MetricKind.PROPORTION}
    assert those("can_be_capped") == {MetricKind.MEAN}
