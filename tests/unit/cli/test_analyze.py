"""``neonblue analyze`` on files of units, events and sums."""

import json

import pytest
import typer
from typer.testing import CliRunner

from neonblue.cli.analyze import analyze as analyze_command


@pytest.fixture
def analyze(tmp_path):
    app = typer.Typer()
    app.command()(analyze_command)

    def run(text, *options):
        path = tmp_path / "data.csv"
        path.write_text(text)
        return CliRunner().invoke(app, [str(path), *options])

    return run


def unit_rows(per_arm=400):
    lines = ["user_id,variant,converted,spend,before"]
    for i in range(2 * per_arm):
        arm = "ab"[i % 2]
        converted = int(i % 10 < (3 if arm == "a" else 6))
        lines.append(f"{i},{arm},{converted},{(i * 7) % 13 + (arm == 'b')},{(i * 7) % 13}")
    return "\n".join(lines) + "\n"


def results(outcome):
    assert outcome.exit_code == 0, outcome.output
    return {row["metric"]["name"]: row for row in json.loads(outcome.stdout)["results"]}


def test_a_metric_without_a_name_is_named_by_what_is_measured(analyze):
    asked = ("converted:proportion", "spend~before:mean", "spend:p90", "spend/before")
    rows = results(
        analyze(unit_rows(), *(part for metric in asked for part in ("--metric", metric)), "--json")
    )
    assert set(rows) == {"converted", "spend", "spend:p90", "spend/before"}


def test_a_row_per_unit_is_analysed_metric_by_metric(analyze):
    rows = results(analyze(unit_rows(), "--json"))

    assert {name: row["metric"]["kind"] for name, row in rows.items()} == {
        "converted": "proportion",
        "spend": "mean",
    }
    assert rows["converted"]["comparison"]["n_control"] == 400


def test_a_check_that_could_not_tell_is_not_ok(analyze):
    rows = "user_id,variant,converted\n" + "".join(f"{i},{'ab'[i % 2]},{i // 2}\n" for i in range(4))
    shown = analyze(rows).stdout

    assert "Too few units to tell" in shown
    assert not [line for line in shown.splitlines() if "Too few" in line and line.startswith("ok")]


def test_a_covariate_narrows_the_interval(analyze):
    plain = results(analyze(unit_rows(), "--metric", "spend", "--json"))["spend"]["comparison"]["absolute"]
    adjusted = results(analyze(unit_rows(), "--metric", "spend~before", "--json"))["spend"]

    assert adjusted["fallback"]["code"] == "zero_variance"
    assert plain["method"] == "welch"


def test_a_covariate_that_was_not_used_is_told_with_the_reason(analyze):
    outcome = analyze(unit_rows(), "--metric", "spend~before")

    assert "spend, b: Without the covariate: The covariate explains the outcome entirely" in outcome.output


def test_events_of_one_unit_are_one_unit(analyze):
    once = unit_rows()
    twice = once + "".join(once.splitlines(keepends=True)[1:])

    rows = results(analyze(twice, "--metric", "converted", "--json"))

    assert rows["converted"]["comparison"]["n_control"] == 400


def test_a_unit_in_two_arms_is_left_out_and_counted(analyze):
    outcome = analyze(unit_rows() + "0,b,1,3,1\n", "--metric", "converted", "--json")

    assert results(outcome)["converted"]["comparison"]["n_control"] == 399
    checks = {check["name"]: check for check in json.loads(outcome.stdout)["health"]}
    assert checks["multiply_exposed"]["value"] == pytest.approx(1 / 800)


@pytest.mark.parametrize("options", [(), ("--secondary", "spend"), ("--lower", "spend")])
def test_without_a_metric_that_was_named_nothing_is_decided(analyze, options):
    found = json.loads(analyze(unit_rows(), *options, "--json").stdout)
    shown = analyze(unit_rows(), *options).stdout

    assert {row["metric"]["role"] for row in found["results"]} == {"secondary"}
    assert found["decision"]["action"] == "inconclusive"
    assert found["decision"]["sentence"] == (
        "No decision: no metric was named to decide. Say which is the aim, such as --metric converted."
    )
    assert "converted" in shown
    assert "Ship" not in shown


def test_a_guardrail_that_was_named_is_harmed_all_the_same(analyze):
    found = json.loads(
        analyze(unit_rows(), "--guardrail", "converted=2%", "--lower", "converted", "--json").stdout
    )

    assert found["decision"]["action"] == "roll_back"


def test_a_guardrail_beside_the_metric_that_decides_is_named_by_its_own_option(analyze):
    options = ("--metric", "spend", "--guardrail", "converted=2%", "--lower", "converted")
    found = json.loads(analyze(unit_rows(), *options, "--json").stdout)

    roles = {row["metric"]["name"]: row["metric"]["role"] for row in found["results"]}
    assert roles == {"spend": "primary", "converted": "guardrail"}


def test_of_sums_those_that_are_named_decide(analyze):
    sums = "metric,variant,n,sum\nconverted,a,400,120\nconverted,b,400,240\nback,a,400,9\nback,b,400,8\n"

    described = json.loads(analyze(sums, "--json").stdout)["decision"]
    outcome = analyze(sums, "--metric", "converted", "--json")
    unknown = analyze(sums, "--metric", "bought")

    assert described["action"] == "inconclusive"
    assert json.loads(outcome.stdout)["decision"]["sentence"].startswith("Ship b: converted +100.0 %")
    assert {name: row["metric"]["role"] for name, row in results(outcome).items()} == {
        "converted": "primary", "back": "secondary",
    }  # fmt: skip
    assert "--metric: there is no metric 'bought'; there are converted, back" in unknown.output


def test_sums_of_single_days_are_refused(analyze):
    sums = "metric,variant,day,n,sum\nc,a,1,400,120\nc,b,1,400,240\nc,a,2,400,90\nc,b,2,400,80\n"

    outcome = analyze(sums, "--metric", "c")

    assert outcome.exit_code == 1
    assert "of several rows, as one per day, none counts alone" in " ".join(outcome.output.split())


@pytest.mark.parametrize(
    ("options", "said"), [((), ", by its name: --control ARM names another"), (("--control", "b"), "")]
)
def test_which_arm_is_the_control_is_said(analyze, options, said):
    outcome = analyze(unit_rows(), "--metric", "converted", *options)

    assert f"control is '{'b' if options else 'a'}'{said}\n" in outcome.stdout


def test_small_values_are_taken_as_they_are_written(analyze):
    rows = "".join(f"{i},{'ab'[i % 2]},{3 + i % 2 + i // 2 % 5 / 10:.1f}e-7\n" for i in range(400))
    compared = results(analyze(f"user_id,variant,price\n{rows}", "--metric", "price", "--json"))["price"][
        "comparison"
    ]

    assert (compared["mean_control"], compared["mean_treatment"]) == pytest.approx(
        (3.2e-7, 4.2e-7), rel=1e-12
    )
    assert compared["relative"]["value"] == pytest.approx(1 / 3.2)


def test_an_unreadable_cell_is_named_with_its_row_and_value_where_its_column_is_asked_for(analyze):
    rows = unit_rows().replace("\n3,b,1,9,8\n", "\n3,b,1,lots,8\n")

    asked, other = analyze(rows, "--metric", "spend"), analyze(rows, "--metric", "converted")

    assert "line 5 (row 4): spend: 'lots' is not a number" in " ".join(asked.output.split())
    assert "passed over: spend (not named)" in other.output


def test_sums_give_what_their_units_give(analyze):
    sums = "metric,variant,n,sum\nconverted,a,400,120\nconverted,b,400,240\n"

    from_sums = results(analyze(sums, "--json"))["converted"]["comparison"]

    assert from_sums["diff"] == pytest.approx(0.3)
    assert from_sums["absolute"]["method"] == "unpooled_proportions"


def test_the_table_ends_with_the_decision(analyze):
    outcome = analyze(unit_rows(), "--metric", "converted", "--metric", "ratio=spend/before")

    assert outcome.exit_code == 0
    assert "✓ Ship" in outcome.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--metric", "absent"), "no column 'absent'"),
        (("--metric", "spend:::p"), "is not [NAME=]COLUMN[/COLUMN][~COVARIATE][:KIND]"),
        (("--control", "z"), "--control: no arm is called 'z'; the arms are a, b"),
        (("--variant", "nothing"), "--variant"),
        (("--secondary", "nothing"), "--secondary"),
        (("--weight", "a=x"), "--weight"),
        (("--deciding", "group_sequential"), "planned_units"),
    ],
)
def test_a_wrong_option_is_named(analyze, options, words):
    outcome = analyze(unit_rows(), *options)

    assert outcome.exit_code == 1
    assert words in " ".join(outcome.output.split())


def test_earlier_looks_and_the_traffic_are_part_of_the_plan(analyze):
    options = (
        "--metric",
        "before",
        "--deciding",
        "group_sequential",
        "--planned-units",
        "1600",
        "--traffic",
        "100",
    )

    first = json.loads(analyze(unit_rows(), *options, "--json").stdout)
    third = json.loads(analyze(unit_rows(), *options, "--look", "0.4", "--look", "0.2", "--json").stdout)

    assert first["decision"]["action"] == "keep_running"
    assert first["decision"]["days_left"] == 8
    assert third["results"][0]["p_value"] >= first["results"][0]["p_value"]


def test_the_p_of_a_single_look_is_left_out_before_the_planned_end(analyze):
    options = ("--metric", "converted", "--deciding", "group_sequential", "--json")

    early, late = (
        results(analyze(unit_rows(), *options, "--planned-units", units))["converted"]
        for units in ("1600", "800")
    )

    assert "p_value" not in early["comparison"]["absolute"]
    assert early["fixed_p"] is None
    assert late["comparison"]["absolute"]["p_value"] == late["fixed_p"]
    assert early["p_value"] > late["p_value"] > 0
