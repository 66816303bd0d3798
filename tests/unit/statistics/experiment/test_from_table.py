"""From units or sums to an experiment."""

import numpy as np
import pytest

from neonblue.statistics import (
    CovariateMoments,
    Metric,
    MetricKind,
    Moments,
    QuantileSummary,
    RatioMoments,
    analyze,
)
from neonblue.statistics.experiment.from_table import (
    Capping,
    MetricColumns,
    UnitTable,
    cappings,
    experiment_from_sums,
    experiment_from_units,
    kind_of_row,
)

ARMS = np.array(["a", "b"] * 50)
VALUES = np.arange(100.0)
COLUMNS = {"spend": VALUES, "visits": VALUES % 4 + 1, "before": VALUES[::-1] % 7, "bought": VALUES % 3}
TABLE = UnitTable(ARMS, COLUMNS)


def column(kind, name="spend", **fields):
    return MetricColumns(Metric("m", kind), name, **fields)


@pytest.mark.parametrize(
    ("spec", "moments"),
    [
        (column(MetricKind.MEAN), Moments),
        (column(MetricKind.PROPORTION, "bought"), Moments),
        (column(MetricKind.RATIO, denominator="visits"), RatioMoments),
        (column(MetricKind.MEAN, covariate="before"), CovariateMoments),
        (column(MetricKind.QUANTILE), QuantileSummary),
    ],
)
def test_each_kind_has_its_moments(spec, moments):
    experiment = experiment_from_units(TABLE, [spec], "a")

    assert type(experiment.moments["m", "b"]) is moments
    assert experiment.moments["m", "b"].n == 50


def test_a_proportion_counts_a_unit_once():
    experiment = experiment_from_units(TABLE, [column(MetricKind.PROPORTION, "bought")], "a")

    assert experiment.moments["m", "a"].sum == sum(VALUES[::2] % 3 > 0)


def test_rows_of_a_unit_add_up_and_a_unit_of_two_arms_is_left_out():
    table = UnitTable(
        np.array(["a", "a", "b", "a", "b"]), {"spend": VALUES[:5]}, np.array(["u", "u", "v", "w", "w"])
    )

    experiment = experiment_from_units(table, [column(MetricKind.MEAN)], "a")

    assert experiment.moments["m", "a"].sum == 1
    assert experiment.moments["m", "a"].n == 1
    assert (experiment.exposed, experiment.multiply_exposed) == (3, 1)
    assert analyze(experiment).health[1].name == "multiply_exposed"


def test_means_and_covariates_are_capped_over_all_arms():
    spec = column(MetricKind.MEAN, covariate="before")
    caps = cappings(TABLE, [spec], 0.9)
    capped = experiment_from_units(TABLE, [spec], "a", caps=caps).moments["m", "b"]

    assert capped.outcome.sum < experiment_from_units(TABLE, [spec], "a").moments["m", "b"].outcome.sum


def test_the_caps_are_told_with_who_lies_above_them():
    (capping,) = cappings(TABLE, [column(MetricKind.MEAN, covariate="before")], 0.9).values()

    cap = float(np.quantile(VALUES, 0.9))
    above = {"a": int((VALUES[::2] > cap).sum()), "b": int((VALUES[1::2] > cap).sum())}
    assert capping == Capping(0.9, cap, float(np.quantile(COLUMNS["before"], 0.9)), above)
    assert sum(above.values()) > 0


def test_proportions_are_not_capped():
    assert cappings(TABLE, [column(MetricKind.PROPORTION, "bought")], 0.6) == {}


@pytest.mark.parametrize("floor", [0.0, 5.0])
def test_a_cap_that_leaves_no_variance_is_refused(floor):
    rare = UnitTable(ARMS, {"spend": np.where(np.arange(VALUES.size) == 3, 900.0, floor)})

    with pytest.raises(
        ValueError, match=f"the 98 % cap of m is {floor:g}: under it every unit has the same value"
    ):
        cappings(rare, [column(MetricKind.MEAN)], 0.98)


def test_values_that_are_all_alike_have_a_cap_above_nobody():
    alike = UnitTable(ARMS, {"spend": np.full(VALUES.size, 2.0)})

    assert cappings(alike, [column(MetricKind.MEAN)], 0.98)["m"].above == {"a": 0, "b": 0}


def test_an_arm_without_rows_has_no_data():
    experiment = experiment_from_units(TABLE, [column(MetricKind.MEAN)], "a", {"a": 1, "b": 1, "c": 1})

    assert ("m", "c") not in experiment.moments
    assert experiment.versions[0].observed["c"] == 0


SUMS = {
    MetricKind.PROPORTION: {"n": "50", "sum": "10"},
    MetricKind.MEAN: {"n": "50", "sum": "10", "sum_of_squares": "60"},
    MetricKind.RATIO: dict(zip(("n", "sum_m", "sum_d", "sum_mm", "sum_dd", "sum_md"), "555996", strict=True)),
}
COVARIATE = dict(zip(("n", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"), "555996", strict=True))


def rows(fields):
    return [{"metric": "m", "variant": arm} | fields for arm in ("a", "b")]


@pytest.mark.parametrize(("kind", "fields"), [*SUMS.items(), (MetricKind.MEAN, COVARIATE)])
def test_a_row_of_sums_says_what_it_holds(kind, fields):
    assert kind_of_row(fields) is kind

    experiment = experiment_from_sums(rows(fields), {"m": Metric("m", kind)}, "a")

    assert experiment.moments["m", "a"].n == int(fields["n"])
    assert experiment.arms == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n": "5"}, "row 1: there is no 'sum'"),
        ({"n": "x", "sum": "1"}, "row 1: invalid"),
        ({"n": "5", "sum": " "}, "row 1: sum is blank"),
    ],
)
def test_a_row_that_can_not_be_read_is_named(fields, words):
    with pytest.raises(ValueError, match=words):
        experiment_from_sums(rows(fields), {"m": Metric("m", MetricKind.MEAN)}, "a")


def test_an_unknown_control_is_named_with_the_arms():
    with pytest.raises(ValueError, match="the arms are a, b"):
        experiment_from_units(TABLE, [column(MetricKind.MEAN)], "z")
    with pytest.raises(ValueError, match="the arms are a, b"):
        experiment_from_sums(rows(SUMS[MetricKind.MEAN]), {"m": Metric("m", MetricKind.MEAN)}, "z")
