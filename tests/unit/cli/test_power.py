"""``neonblue power``: sample size, detectable effect, power and duration, and refusals."""

import json

import pytest
import typer
from typer.testing import CliRunner

from neonblue.cli.power import power as power_command


def run(*options):
    app = typer.Typer()
    app.command()(power_command)
    return CliRunner().invoke(app, [*options])


def plan(*options):
    outcome = run(*options, "--json")
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


def test_a_sample_size_for_a_relative_effect_on_a_rate():
    got = plan("--baseline", "0.1", "--mde", "10%", "--traffic", "1000")

    assert (got["control_units"], got["total_units"]) == (14749, 29498)
    assert got["days"] == pytest.approx(29.498)


def test_units_effect_and_power_agree_with_one_another():
    base = ("--baseline", "20", "--sd", "10", "--arms", "3", "--ratio", "0.5")
    units = str(plan(*base, "--mde", "0.5")["total_units"])

    assert plan(*base, "--units", units)["effect"] == pytest.approx(0.5, rel=1e-3)
    assert plan(*base, "--units", units, "--mde", "0.5")["power"] == pytest.approx(0.8, abs=1e-3)


def test_a_rate_has_a_detectable_effect_and_a_power():
    found = plan("--baseline", "0.1", "--units", "29498")

    assert found["effect"] == pytest.approx(0.01, rel=1e-3)
    assert plan("--baseline", "0.1", "--units", "29498", "--mde", "0.01")["power"] == pytest.approx(
        0.8, abs=1e-3
    )


def test_a_covariate_saves_the_share_of_variance_it_explains():
    plain = plan("--baseline", "20", "--sd", "10", "--mde", "0.1")["total_units"]
    adjusted = plan("--baseline", "20", "--sd", "10", "--mde", "0.1", "--correlation", "0.6")["total_units"]

    assert adjusted / plain == pytest.approx(0.64, rel=1e-4)


def test_looks_inflate_the_sample_as_the_tables_say():
    """Jennison and Turnbull (2000), about 1.03 for O'Brien-Fleming and 1.2 for Pocock with five looks."""
    options = ("--baseline", "0.1", "--mde", "0.01", "--looks", "5")

    late = plan(*options)["design"]["inflation"]
    even = plan(*options, "--spending", "pocock")["design"]["inflation"]

    assert 1.02 < late < 1.04
    assert 1.19 < even < 1.26


def test_deciding_at_any_time_costs_about_twice_the_units():
    options = ("--baseline", "0.1", "--mde", "0.01", "--any-time")
    got = plan(*options)
    units = str(got["total_units"])

    assert got["design"]["inflation"] == pytest.approx(2.06, abs=0.01)
    assert got["design"]["alpha"] == 0.05
    assert plan(*options, "--units", units)["power"] == pytest.approx(0.8, abs=1e-3)
    assert plan("--baseline", "0.1", "--any-time", "--units", units)["effect"] == pytest.approx(
        0.01, rel=1e-3
    )


@pytest.mark.parametrize(("effect", "units"), [("2", 6), ("3", 4), ("1", 17), ("0.8", 26), ("4", 3)])
def test_few_units_are_planned_by_students_t(effect, units):
    """As scipy's noncentral t has it: 6 units an arm have a power of .876, 5 of .791, and the normal's 4 of .657."""
    base = ("--baseline", "10", "--sd", "1")
    got = plan(*base, "--mde", effect)
    fewer = plan(*base, "--mde", effect, "--units", str(got["total_units"] - 2))["power"]

    assert got["control_units"] == units
    assert fewer < 0.8 <= plan(*base, "--mde", effect, "--units", str(got["total_units"]))["power"]
    assert plan(*base, "--units", str(got["total_units"]))["effect"] <= float(effect)


def test_a_small_plans_power_is_that_of_the_noncentral_t():
    power = plan("--baseline", "10", "--sd", "1", "--mde", "2", "--units", "12")["power"]

    assert power == pytest.approx(0.8764177714119886, rel=1e-8)


@pytest.mark.parametrize(("arms", "units"), [("2", 130_805), ("3", 146_034), ("7", 169_084)])
def test_each_arm_of_several_is_compared_with_the_control_alone_at_any_time(arms, units):
    options = ("--baseline", "0.1", "--mde", "0.005", "--any-time", "--arms", arms)
    got = plan(*options)

    assert got["control_units"] == pytest.approx(units, abs=1)
    assert plan(*options, "--units", str(got["total_units"]))["power"] == pytest.approx(0.8, abs=1e-4)


def test_non_inferiority_is_one_sided_about_a_margin():
    options = ("--baseline", "0.95", "--margin", "-0.005", "--alpha", "0.025", "--power", "0.9")
    got = plan(*options)

    assert (got["control_units"], got["design"]["sided"]) == (39929, 1)
    assert plan(*options, "--units", str(got["total_units"]))["power"] == pytest.approx(0.9, abs=1e-4)


def test_the_table_holds_the_plan():
    shown = run("--baseline", "0.1", "--mde", "10%", "--traffic", "1000")

    assert shown.exit_code == 0
    for part in ("14,749", "29,498", "+10.0 %", "+1.00 pp", "29.5"):
        assert part in shown.stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--mde", "0.01", "--power", "0.04"), "does not exceed alpha"),
        (("--mde", "0.01", "--power", "0.04", "--looks", "3"), "does not exceed alpha"),
        (("--mde", "0"), "no difference"),
        (("--mde", "much"), "give a number"),
        (("--mde", "1.5"), "[0, 1]"),
        (("--mde", "5"), "did you mean 5%?"),
        (("--margin", "-2"), "did you mean -2%?"),
        (("--baseline", "12", "--mde", "1%"), "did you mean 0.12?"),
        (("--mde", "0.01", "--margin", "-0.01"), "give one of them"),
        (("--units", "1"), "Both arms need units"),
        (("--mde", "0.01", "--traffic", "0"), "above 0"),
        (("--mde", "0.01", "--correlation", "1"), "correlation"),
        ((), "at least one"),
        (("--history", "nothing"), "EXPERIMENT/METRIC"),
        (("--mde", "0.01", "--looks", "3", "--any-time"), "give one of them"),
        (("--mde", "0.2", "--alpha", "0.7", "--any-time"), "below 0.5"),
    ],
)
def test_impossible_requests_are_refused_with_the_reason(options, reason):
    outcome = run("--baseline", "0.1", *options)

    assert outcome.exit_code in (1, 2)
    assert reason in " ".join(outcome.output.split())


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--baseline", "0.1", "--units", "118000"), ("+0.49 pp", "+4.95 %")),
        (
            ("--baseline", "20", "--sd", "10", "--mde", "-2%", "--looks", "5"),
            ("−0.4000", "more units for 5 looks", "2.47 %"),
        ),
        (("--baseline", "0.1", "--mde", "10%", "--any-time"), ("more units for looks at any time",)),
    ],
)
def test_the_table_has_rounded_numbers_with_true_signs(options, parts):
    shown = run(*options).stdout

    assert all(part in shown for part in parts)
    assert "-" not in shown.replace("two-sided", "")


def test_without_looks_nothing_is_said_of_them():
    assert "more units" not in run("--baseline", "0.1", "--mde", "10%").stdout


def test_a_plan_without_a_baseline_or_a_history_is_refused():
    outcome = run("--mde", "1%")

    assert outcome.exit_code == 1
    assert "--baseline, --history" in outcome.output


def test_a_rate_above_one_asks_for_a_standard_deviation():
    outcome = run("--baseline", "12", "--mde", "1")

    assert outcome.exit_code == 1
    assert "--sd" in outcome.output
