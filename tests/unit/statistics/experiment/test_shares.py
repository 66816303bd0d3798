"""Which part of its planned size a comparison has reached."""

import dataclasses

import pytest

from neonblue.statistics import AllocationVersion, Experiment, Metric, MetricKind, Moments, Role
from neonblue.statistics.experiment.shares import reached_share

SALES = Metric("sales", MetricKind.PROPORTION, Role.PRIMARY)
PLANNED = 20_000


def version(weights, units, *, sums=True):
    """Weights and units of a and b. sums: whether it gives its moments."""
    moments = {("sales", arm): Moments.proportion(0, n) for arm, n in zip("ab", units, strict=True) if n}
    shares, observed = (dict(zip("ab", pair, strict=True)) for pair in (weights, units))
    return AllocationVersion("1", shares, observed, moments if sums else {})


def experiment(*versions, missing=None, judged=None):
    """judged: units of a and b that have a value, by default all that entered."""
    units = judged or [sum(each.observed[arm] for each in versions) for arm in "ab"]
    moments = {("sales", arm): Moments.proportion(0, n) for arm, n in zip("ab", units, strict=True)}
    return Experiment("a", ("a", "b"), (SALES,), moments, versions, missing=missing or {})


def share(of):
    return reached_share(of, "sales", "b", PLANNED)


def test_at_constant_shares_it_is_the_judged_units_over_the_planned():
    assert share(experiment(version((1, 1), (2500, 2500)))) == 0.25
    assert share(experiment(version((1, 1), (2500, 2500)), version((2, 2), (2500, 2500)))) == 0.5
    assert share(experiment()) == 0


def test_units_that_entered_and_are_not_judged_yet_do_not_count():
    assert share(experiment(version((1, 1), (2500, 2500)), judged=(500, 500))) == 0.05


def test_units_without_a_value_were_planned_for():
    missing = {("sales", "a"): 500, ("sales", "b"): 500}

    assert share(experiment(version((1, 1), (2500, 2500)), judged=(2000, 2000), missing=missing)) == 0.25


def test_an_arm_without_data_adds_nothing():
    whole = experiment(version((1, 1), (2500, 2500)))
    one = dataclasses.replace(whole, moments={("sales", "a"): whole.moments["sales", "a"]})

    assert share(one) == 0.125


RAMP = (version((99, 1), (9900, 100)), version((1, 1), (2500, 2500)))


def test_a_unit_of_a_ramp_counts_with_the_information_it_brings():
    assert share(experiment(*RAMP)) == pytest.approx((10_000 * 0.0099 + 5_000 * 0.25) / (PLANNED * 0.25))


def test_a_version_without_sums_counts_with_the_units_that_entered():
    bare = tuple(dataclasses.replace(each, moments={}) for each in RAMP)

    assert share(experiment(*bare)) == share(experiment(*RAMP))


def test_in_a_ramp_units_without_a_value_were_planned_for_as_well():
    missing = {("sales", "a"): 6200, ("sales", "b"): 1300}
    half = tuple(
        dataclasses.replace(
            each, moments={key: Moments.proportion(0, sums.n // 2) for key, sums in each.moments.items()}
        )
        for each in RAMP
    )

    found = share(experiment(*half, judged=(6200, 1300), missing=missing))

    assert found == pytest.approx(share(experiment(*RAMP)))


def test_a_ramp_in_which_nobody_has_a_value_has_reached_nothing():
    empty = tuple(
        dataclasses.replace(each, moments={key: Moments.proportion(0, 0) for key in each.moments})
        for each in RAMP
    )

    assert share(experiment(*empty, judged=(0, 0))) == 0


def test_arms_that_were_never_live_together_have_reached_nothing():
    assert share(experiment(version((1, 0), (2500, 0)), version((0, 1), (0, 2500)))) == 0
