"""Units without a value: left out, counted, and compared between the arms."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.statistics import AllocationVersion, Estimate, Metric, MetricKind, Role, analyze_metric
from neonblue.statistics.experiment.experiment import Experiment
from neonblue.statistics.experiment.from_table import MetricColumns, UnitTable, experiment_from_units
from neonblue.statistics.experiment.missing import Missing, missing_checks
from neonblue.statistics.methods.by_kind import added
from neonblue.statistics.methods.quantiles import QuantileSummary
from neonblue.statistics.moments import Moments

NAN = float("nan")


def column(kind, name="rating", missing=Missing.EXCLUDE, role=Role.PRIMARY, **fields):
    return MetricColumns(Metric("m", kind, role), name, missing=missing, **fields)


def units(**columns):
    arrays = {name: np.array(values, dtype=float) for name, values in columns.items()}
    size = next(iter(arrays.values())).size
    return UnitTable(np.array(["a", "b"] * (size // 2)), arrays)


def answered(control, treatment, n=4000, role=Role.PRIMARY):
    """Ratings of 1 to 5 stars, in both arms of the same shares, of the first so many units of each arm."""
    stars = np.arange(n) % 5 + 1.0
    ratings = [np.where(np.arange(n) < found, stars, NAN) for found in (control, treatment)]
    table = UnitTable(np.repeat(["a", "b"], n), {"rating": np.concatenate(ratings)})
    return experiment_from_units(table, [column(MetricKind.MEAN, role=role)], "a")


@pytest.mark.parametrize(
    "spec",
    [
        column(MetricKind.MEAN),
        column(MetricKind.PROPORTION),
        column(MetricKind.QUANTILE, level=0.5),
        column(MetricKind.RATIO, denominator="visits"),
        column(MetricKind.MEAN, "visits", covariate="before"),
    ],
)
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.just(NAN), st.integers(0, 5)), st.one_of(st.just(NAN), st.integers(1, 4))),
        min_size=20,
        max_size=60,
    ).filter(lambda rows: len(rows) % 2 == 0)
)
def test_leaving_units_out_is_the_analysis_of_a_table_without_them(spec, rows):
    rating, visits = (np.array(values, dtype=float) for values in zip(*rows, strict=True))
    columns = {"rating": rating, "visits": visits, "before": np.arange(rating.size) % 7.0}
    arms = np.array(["a", "b"] * (rating.size // 2))
    keep = ~np.any([np.isnan(columns[name]) for name in spec.value_columns], axis=0)

    with_blanks = experiment_from_units(UnitTable(arms, columns), [spec], "a", {"a": 1, "b": 1})
    rest = UnitTable(arms[keep], {name: values[keep] for name, values in columns.items()})

    if not {"a", "b"} <= set(arms[keep]):
        return
    assert with_blanks.moments == experiment_from_units(rest, [spec], "a").moments
    assert sum(with_blanks.missing.values()) == (~keep).sum()
    assert with_blanks.units == rating.size


def test_a_missing_value_counts_as_zero_only_where_that_is_said():
    table = units(rating=[4, 5, NAN, 3])

    zero = experiment_from_units(table, [column(MetricKind.MEAN, missing=Missing.ZERO)], "a")

    assert zero.moments["m", "a"] == Moments.from_values([4, 0])
    assert zero.missing == {}
    with pytest.raises(ValueError, match="1 units have no value of m"):
        experiment_from_units(table, [column(MetricKind.MEAN, missing=None)], "a")


def test_a_unit_of_several_rows_has_a_value_where_any_of_them_has():
    table = UnitTable(
        np.array(["a", "a", "b", "b", "a"]),
        {"rating": np.array([NAN, 3.0, NAN, NAN, 2.0])},
        np.array(["u", "u", "v", "v", "w"]),
    )

    experiment = experiment_from_units(table, [column(MetricKind.MEAN)], "a")

    assert experiment.moments["m", "a"] == Moments.from_values([3, 2])
    assert ("m", "b") not in experiment.moments
    assert experiment.missing == {("m", "a"): 0, ("m", "b"): 1}


def test_who_answers_more_often_is_not_better():
    experiment = answered(1200, 1440)

    row = analyze_metric(MetricKind.MEAN, experiment.moments["m", "a"], experiment.moments["m", "b"])

    assert row.diff == 0
    assert isinstance(row.absolute, Estimate)
    assert experiment.missing == {("m", "a"): 2800, ("m", "b"): 2560}


@pytest.mark.parametrize(
    ("role", "blocking"), [(Role.PRIMARY, True), (Role.GUARDRAIL, True), (Role.SECONDARY, False)]
)
def test_a_difference_in_who_has_a_value_stops_the_decision_about_the_metric(role, blocking):
    (check,) = missing_checks(answered(1200, 1440, role=role))

    assert check.name == "missing values (m)"
    assert (check.passed, check.blocking) == (False, blocking)
    assert check.value == pytest.approx(1.16e-8, rel=0.01)
    assert "a 2,800 of 4,000 (70.0 %), b 2,560 of 4,000 (64.0 %)" in check.message


def test_arms_that_agree_in_who_has_a_value_pass():
    (check,) = missing_checks(answered(1200, 1220))

    assert check.passed
    assert "agree" in check.message


def test_few_missing_values_are_compared_exactly():
    (few,) = missing_checks(answered(4000, 3996))

    assert few.value == pytest.approx(0.1249, abs=1e-3)  # Fisher's p of 0 and 4 of 4,000


def test_several_arms_are_each_compared_with_control():
    moments = {("m", arm): Moments.proportion(10, n) for arm, n in (("a", 500), ("b", 505), ("c", 400))}
    metric = Metric("m", MetricKind.PROPORTION, Role.PRIMARY)
    missing = {("m", "a"): 500, ("m", "b"): 495, ("m", "c"): 600}

    (check,) = missing_checks(Experiment("a", ("a", "b", "c"), (metric,), moments, missing=missing))

    assert not check.passed
    assert check.value == pytest.approx(2 * 7.2e-6, rel=0.1)


def test_a_watched_experiment_has_a_check_that_holds_at_every_look():
    once, always = (missing_checks(answered(1200, 1340), sequential=watched)[0] for watched in (False, True))

    assert not once.passed
    assert always.passed
    assert "always-valid p" in always.message
    assert not missing_checks(answered(1200, 1500), sequential=True)[0].passed


def ramp(*versions, weights=((0.9, 0.1), (0.5, 0.5))):
    """An experiment of versions: (units, units with a value) of a, then of b."""
    metric = Metric("m", MetricKind.PROPORTION, Role.PRIMARY)
    live = tuple(
        AllocationVersion(
            str(number),
            dict(zip("ab", shares, strict=True)),
            {"a": a[0], "b": b[0]},
            {("m", arm): Moments.proportion(min(3, n), n) for arm, n in (("a", a[1]), ("b", b[1]))},
            {("m", "a"): a[0] - a[1], ("m", "b"): b[0] - b[1]},
        )
        for number, (shares, (a, b)) in enumerate(zip(weights, versions, strict=True))
    )
    moments = {("m", arm): added(*(version.moments["m", arm] for version in live)) for arm in "ab"}
    missing = {
        ("m", arm): sum(version.observed[arm] - version.moments["m", arm].n for version in live)
        for arm in "ab"
    }
    return Experiment("a", ("a", "b"), (metric,), moments, live, missing=missing)


def test_answers_that_become_rarer_during_a_ramp_are_no_difference():
    (check,) = missing_checks(ramp(((9000, 5400), (1000, 600)), ((5000, 1500), (5000, 1500))))

    assert check.passed
    assert check.value == pytest.approx(1)


def test_a_difference_within_the_versions_is_found():
    (check,) = missing_checks(ramp(((9000, 5400), (1000, 800)), ((5000, 1500), (5000, 2000))))

    assert not check.passed


def test_a_dropped_arm_is_compared_with_the_units_that_entered_beside_it():
    """Answers become rarer after the arm was dropped."""
    weights = ((0.5, 0.5), (1.0, 0.0))

    (alike,) = missing_checks(ramp(((5000, 3000), (5000, 3000)), ((5000, 500), (0, 0)), weights=weights))
    (fewer,) = missing_checks(ramp(((5000, 3000), (5000, 2000)), ((5000, 500), (0, 0)), weights=weights))

    assert alike.value == pytest.approx(1)
    assert not fewer.passed


def test_units_of_versions_in_which_only_one_arm_was_live_are_not_compared():
    """Before it started, a few units met the arm all the same."""
    weights = ((1.0, 0.0), (0.5, 0.5))

    (check,) = missing_checks(ramp(((5000, 500), (50, 40)), ((5000, 3000), (5000, 3000)), weights=weights))

    assert check.value == pytest.approx(1)


def test_quantiles_over_changed_shares_claim_nothing_of_missing_values():
    known = ramp(((9000, 5400), (1000, 600)), ((5000, 1500), (5000, 1500)))
    quantile = Metric("m", MetricKind.QUANTILE, Role.PRIMARY)
    summaries = {
        cell: QuantileSummary.from_values(range(sums.n), 0.5) for cell, sums in known.moments.items()
    }
    versions = tuple(dataclasses.replace(version, moments={}, missing={}) for version in known.versions)

    (check,) = missing_checks(
        dataclasses.replace(known, metrics=(quantile,), moments=summaries, versions=versions)
    )

    assert (check.passed, check.blocking) == (True, False)


def test_where_it_is_not_known_which_version_lacks_values_nothing_is_claimed():
    known = ramp(((9000, 5400), (1000, 600)), ((5000, 1500), (5000, 1500)))
    unfinished = dataclasses.replace(known, missing={("m", "a"): 10, ("m", "b"): 200})

    (check,) = missing_checks(unfinished)

    assert (check.passed, check.blocking, check.told) == (True, False, False)
    assert "how many of which version is not known" in check.message


def test_an_arm_in_which_every_value_is_missing_is_told():
    (check,) = missing_checks(answered(1200, 0))

    assert not check.passed


def test_nothing_missing_is_nothing_to_check():
    assert missing_checks(answered(4000, 4000)) == []


@pytest.mark.parametrize("kind", [MetricKind.RATIO, MetricKind.QUANTILE])
def test_a_covariate_of_a_ratio_or_a_quantile_is_refused(kind):
    with pytest.raises(ValueError, match="a covariate adjusts means and proportions only"):
        column(kind, covariate="before")
