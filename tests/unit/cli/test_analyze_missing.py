"""``neonblue analyze`` on files with blank cells: asked about, counted, and never taken for zero unasked."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from neonblue.cli.analyze import analyze as analyze_command

CASES = Path(__file__).parents[4] / "shared" / "bug-cases"
UNANSWERED = CASES / "unanswered.csv"

app = typer.Typer()
app.command()(analyze_command)


@pytest.fixture
def analyze(tmp_path):
    def run(source, *options):
        path = source if isinstance(source, Path) else tmp_path / "data.csv"
        if not isinstance(source, Path):
            path.write_text(source)
        return CliRunner().invoke(app, [str(path), *options])

    return run


def answer(outcome):
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


def words(outcome):
    return " ".join(outcome.output.split())


def ratings(control=1200, treatment=1440, n=4000):
    """1 to 5 stars of the same shares in both arms, from the first so many units of each."""
    lines = ["user_id,variant,rating"]
    for arm, answered in (("control", control), ("treatment", treatment)):
        lines += [f"{arm}{i},{arm},{i % 5 + 1 if i < answered else ''}" for i in range(n)]
    return "\n".join(lines) + "\n"


def test_blank_cells_are_asked_about_with_both_choices(analyze, tmp_path):
    report = tmp_path / "out.html"

    outcome = analyze(UNANSWERED, "--report", str(report))

    assert outcome.exit_code == 1
    assert (
        "rating: 160 of 400 cells are blank; say --missing rating=exclude (analyse those who answered) "
        "or --missing rating=zero (count a blank as 0)"
    ) in words(outcome)
    assert not report.exists()


def test_every_metric_with_blank_cells_is_asked_about_at_once(analyze):
    outcome = analyze("user_id,variant,a,my score\n1,x,1,\n2,y,NA,3\n3,x,2,1\n4,y,2,1\n", "--control", "x")

    assert "a: 1 of 4 cells is blank" in words(outcome)
    assert "--missing 'my score=zero'" in words(outcome)


def test_those_who_answered_are_compared_and_the_others_counted(analyze):
    found = answer(analyze(UNANSWERED, "--metric", "rating", "--missing", "rating=exclude", "--json"))

    comparison = found["results"][0]["comparison"]
    assert (comparison["mean_control"], comparison["mean_treatment"], comparison["diff"]) == (4, 4, 0)
    assert (comparison["n_control"], comparison["n_treatment"]) == (80, 160)
    assert found["decision"]["action"] == "invalid"
    assert found["decision"]["broken"] == ["missing values (rating)"]
    assert found["missing"] == [
        {
            "metric": "rating",
            "policy": "exclude",
            "cells": 160,
            "units": {"control": 120, "treatment": 40},
            "sentence": "rating: 160 units without a value left out: control 120 of 200, treatment 40 of 200",
        }
    ]


def test_a_higher_share_of_answers_is_no_higher_rating(analyze):
    found = answer(analyze(ratings(), "--metric", "rating", "--missing", "exclude", "--json"))

    assert found["results"][0]["comparison"]["diff"] == 0
    assert found["results"][0]["verdict"] == "undecided"
    assert found["decision"]["action"] == "invalid"


def test_the_sample_ratio_counts_units_without_a_value_too(analyze):
    outcome = analyze(UNANSWERED, "--missing", "exclude")

    assert "sample ratio (file): Units per arm (200, 200) fit" in words(outcome)
    assert "rating: 160 units without a value left out: control 120 of 200, treatment 40 of 200" in words(
        outcome
    )


def test_blank_cells_that_count_as_zero_are_told(analyze):
    outcome = analyze(UNANSWERED, "--missing", "zero")

    assert outcome.exit_code == 0
    assert "160 blank cells of rating count as 0" in words(outcome)
    assert "1.600 → 3.200" in words(outcome)


def test_the_report_tells_what_was_left_out_and_reads_its_segments_alike(analyze, tmp_path):
    lines = [f"{line},{'ab'[i % 2]}" for i, line in enumerate(ratings(90, 120, 200).splitlines()[1:])]
    report = tmp_path / "out.html"

    outcome = analyze(
        "\n".join(["user_id,variant,rating,half", *lines]) + "\n",
        *("--metric", "rating", "--missing", "exclude", "--segment", "half", "--report", str(report)),
    )

    assert outcome.exit_code == 0, outcome.output
    assert (
        "rating: 190 units without a value left out: control 110 of 200, treatment 80 of 200."
        in report.read_text()
    )
    assert "half: a" in report.read_text()


def test_a_unit_of_several_rows_has_a_value_where_one_of_them_has(analyze):
    rows = "user_id,variant,spend\n" + "".join(
        f"{i},{'ab'[i % 2]},{i % 7}\n{i},{'ab'[i % 2]},\n" for i in range(80)
    )

    found = answer(analyze(rows, "--missing", "exclude", "--json"))

    assert found["results"][0]["comparison"]["n_control"] == 40
    assert found["missing"][0]["sentence"] == (
        "spend: 80 blank cells are left out; every unit has a value all the same"
    )


def test_a_ratio_without_a_denominator_is_left_out(analyze):
    rows = "user_id,variant,clicks,visits\n" + "".join(
        f"{i},{'ab'[i % 2]},{i % 3},{'' if i < 10 else i % 4 + 1}\n" for i in range(80)
    )

    refused = analyze(rows, "--metric", "clicks/visits")
    found = answer(analyze(rows, "--metric", "clicks/visits", "--missing", "clicks/visits=exclude", "--json"))

    assert "clicks/visits: 10 of 160 cells are blank" in words(refused)
    assert found["missing"][0]["units"] == {"a": 5, "b": 5}


def covariates(gone, seed=11):
    rng = np.random.default_rng(seed)
    lines = ["user_id,variant,rev,pre"]
    for i in range(4000):
        before = round(float(rng.gamma(2.0, 50.0)), 3)
        revenue = round(before + float(20 * rng.normal()), 3)
        lines.append(f"{i},{'ab'[i % 2]},{revenue},{gone if i % 2 and rng.random() < 0.1 else before}")
    return "\n".join(lines) + "\n"


def test_a_missing_covariate_is_not_a_zero(analyze):
    blanks = answer(analyze(covariates(""), "--metric", "rev~pre", "--json"))

    assert blanks["results"][0]["p_value"] > 0.05
    assert blanks["results"][0]["fallback"]["code"] == "covariate_imbalance"
    (note,) = blanks["missing"]
    assert note["units"]["a"] == 0
    assert (
        note["sentence"]
        == f"rev: {note['cells']} units have no covariate pre: a 0 of 2,000, b {note['cells']} of 2,000"
    )


@pytest.mark.parametrize("metric", ["rev/pre~pre", "rev~pre:p90"])
def test_a_covariate_of_a_ratio_or_a_quantile_is_refused(analyze, metric):
    outcome = analyze(covariates(0), "--metric", metric)

    assert outcome.exit_code == 1
    assert "a covariate adjusts means and proportions only" in words(outcome)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("rev,a,5,10,60\nrev,b,5,10,\n", "line 3 (row 2): sum_of_squares is blank"),
        ("rev,a,5,10,\nrev,b,5,10,60\n", "line 2 (row 1): sum_of_squares is blank"),
        ("rev,a,5,,60\nrev,b,5,10,60\n", "line 2 (row 1): sum is blank"),
        ("rev,a,,10,60\nrev,b,5,10,60\n", "line 2 (row 1): n is blank"),
    ],
)
def test_a_blank_sum_is_named(analyze, rows, reason):
    outcome = analyze("metric,variant,n,sum,sum_of_squares\n" + rows)

    assert outcome.exit_code == 1
    assert reason in words(outcome)


def test_a_file_of_sums_has_no_blank_cells_to_decide_on(analyze):
    outcome = analyze("metric,variant,n,sum\nc,a,400,120\nc,b,400,240\n", "--missing", "zero")

    assert "--missing: a file of sums has no cells of units" in words(outcome)
