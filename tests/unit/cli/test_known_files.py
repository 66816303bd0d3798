"""Files as people have them: both commands read them rightly, or say what is wrong, and in which line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from neonblue.cli.analyze import analyze as analyze_command
from neonblue.cli.import_file import import_file
from neonblue.tables.report import FileReport
from neonblue.tables.roles import Options
from tests.unit.cli.verdicts import of_analysis, of_import

CASES = Path(__file__).parents[4] / "shared" / "bug-cases"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a file, given by its path or its content. The import finds no stack."""

    def run(command: str, source: Path | str, *options: str) -> Result:
        app = typer.Typer()
        app.command()(analyze_command if command == "analyze" else import_file)
        path = source if isinstance(source, Path) else tmp_path / "data.csv"
        if isinstance(source, str):
            path.write_text(source)
        more = () if command == "analyze" else ("--key", "k", "--data-dir", str(tmp_path / "none"))
        return CliRunner().invoke(app, [str(path), *more, *options])

    return run


def words(outcome: Result) -> str:
    return " ".join(outcome.output.split())


def answer(outcome: Result) -> dict[str, Any]:
    assert outcome.exit_code == 0, outcome.output
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def rates(found: dict[str, Any], metric: str) -> tuple[float, float]:
    (comparison,) = (r["comparison"] for r in found["results"] if r["metric"]["name"] == metric)
    return round(comparison["mean_control"], 4), round(comparison["mean_treatment"], 4)


@pytest.mark.parametrize("command", ["analyze", "import"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("latin1-late", "latin1-late.csv: line 452 is not UTF-8"),
        ("nan-unit", "50 of 200 rows can't be read"),
        ("no-unit", "50 of 200 rows can't be read"),
        ("one-word-in-numbers", "line 9 (row 8): revenue: 'pending' is not a number"),
        ("serial-days", "'45839.00' is no time: it looks like Excel's number of a day (2025-07-01)"),
        ("stray-quote", "line 12 (row 11) opens a quote that is not closed"),
        ("unanswered", "rating: 160 of 400 cells are blank"),
        ("new-old", "--control: say which arm is the control"),
    ],
)
def test_both_commands_refuse_with_one_sentence(run: Run, command: str, name: str, sentence: str) -> None:
    source = CASES / f"{name}.csv"
    start = () if command == "analyze" or name == "serial-days" else ("--start", "2025-07-01")

    outcome = run(command, source, *start)

    assert outcome.exit_code == 1
    assert sentence in words(outcome)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit)


@pytest.mark.parametrize(
    ("name", "options", "read"),
    [
        ("no-unit", Options(skip_bad_rows=True), 150),
        ("nan-unit", Options(skip_bad_rows=True), 150),
        ("one-word-in-numbers", Options(skip_bad_rows=True), 399),
        ("milliseconds", Options(), 60),
        ("new-old", Options(control="old_page"), 2_000),
        ("pandas-index", Options(), 60),
        ("semicolon", Options(), 60),
        ("attribute-decides", Options(), 2_000),
    ],
)
def test_both_commands_read_the_same_rows(name: str, options: Options, read: int) -> None:
    analysed, imported = (verdict(CASES / f"{name}.csv", options) for verdict in (of_analysis, of_import))

    assert isinstance(analysed, FileReport)
    assert analysed == imported
    assert analysed.read == read


def test_an_attribute_does_not_decide(run: Run) -> None:
    found = answer(run("analyze", CASES / "attribute-decides.csv", "--json"))
    named = answer(run("analyze", CASES / "attribute-decides.csv", "--metric", "converted", "--json"))

    assert rates(found, "converted") == (0.2, 0.3)
    assert (found["decision"]["action"], named["decision"]["action"]) == ("inconclusive", "ship")
    passed = [column for column in found["file"]["columns"] if column["read_as"] == "passed over"]
    assert [column["column"] for column in passed] == ["postcode"]


def test_the_control_that_was_named_is_compared_with(run: Run) -> None:
    found = answer(run("analyze", CASES / "new-old.csv", "--control", "old_page", "--json"))

    assert rates(found, "converted")[1] - rates(found, "converted")[0] == pytest.approx(0.1)
    assert found["results"][0]["verdict"] == "better"


def test_a_row_with_a_word_is_left_out_and_counted_where_that_was_asked(run: Run) -> None:
    found = answer(run("analyze", CASES / "one-word-in-numbers.csv", "--skip-bad-rows", "--json"))

    control, treatment = rates(found, "revenue")
    assert (round(control), round(treatment)) == (21, 6)
    assert found["decision"]["action"] != "ship"
    (group,) = found["file"]["left_out"]
    assert (group["rows"], group["lines"]) == (1, [9])


def test_a_column_with_a_word_can_be_passed_over(run: Run) -> None:
    outcome = run("analyze", CASES / "one-word-in-numbers.csv", "--ignore", "revenue")

    assert outcome.exit_code == 0
    assert "passed over: revenue (as asked)" in words(outcome)


def test_decimal_commas_are_read_and_said(run: Run) -> None:
    outcome = run("analyze", CASES / "semicolon.csv")

    assert "60 of 60 rows read, columns separated by semicolon" in words(outcome)
    assert "read revenue with a decimal comma" in words(outcome)
    assert rates(answer(run("analyze", CASES / "semicolon.csv", "--json")), "revenue") == (4.4, 4.3)


def test_a_column_without_a_name_is_passed_over(run: Run) -> None:
    found = answer(run("analyze", CASES / "pandas-index.csv", "--json"))

    assert rates(found, "converted") == (0.3333, 0.3333)


def test_sums_are_found_in_any_case(run: Run) -> None:
    found = answer(run("analyze", CASES / "sums-in-capitals.csv", "--json"))

    assert rates(found, "orders") == (0.05, 0.056)
    assert found["results"][0]["p_value"] == pytest.approx(0.058, abs=0.001)


SUMS = "Metric,Variant,N,Sum\norders,control,{n},500\norders,treatment,10000.0,560\n"


@pytest.mark.parametrize("n", ["10000", '"10,000"', "10.000", "10 000", "1e4"])
def test_counts_of_sums_may_be_grouped(run: Run, n: str) -> None:
    assert rates(answer(run("analyze", SUMS.format(n=n), "--json")), "orders") == (0.05, 0.056)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("orders,control,many,500\n", "line 2 (row 1): n: 'many' is not a number"),
        ("orders,control,10.5,500\n", "line 2 (row 1): n: '10.5' is not a count of units"),
        ("orders,control,-1,500\n", "line 2 (row 1): n: '-1' is not a count of units"),
        ("orders,control,10,1e999999999\n", "line 2 (row 1): sum: '1e999999999' is too large"),
        ("orders,control,10,1e999\n", "line 2 (row 1): sum: '1e999' is too large"),
        ("orders,control,10\n", "line 2 (row 1): 3 cells where the header names 4 columns"),
        ("orders,,10,5\n", "line 2 (row 1): no arm"),
        (",control,10,5\n", "line 2 (row 1): metric: it is blank"),
        (
            "orders,control,10,5\norders,control,10,6\n",
            "line 3 (row 2): orders of control stands in line 2 already",
        ),
    ],
)
def test_a_row_of_sums_that_can_not_be_read_is_named(run: Run, rows: str, sentence: str) -> None:
    outcome = run("analyze", "Metric,Variant,N,Sum\n" + rows + "orders,treatment,10,5\n")

    assert outcome.exit_code == 1
    assert sentence in words(outcome)


@pytest.mark.parametrize("name", ["sum_squares", "Sum Sq", "sumsq", "sum_of_square", "sum2", "sum_squared"])
def test_the_sum_of_squares_goes_by_many_names(run: Run, name: str) -> None:
    found = answer(
        run("analyze", f"metric,variant,n,sum,{name}\nx,control,1000,700,1200\nx,b,1000,760,1300\n", "--json")
    )

    assert found["results"][0]["metric"]["kind"] == "mean"
    assert found["file"]["columns"][4]["read_as"] == "numbers"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "metric,variant,n,sum,x_sqr\nx,control,1000,700,1200\nx,b,1000,760,1300\n",
            "column 'x_sqr' may be what",
        ),
        ("metric,variant,n,sum,std\nx,control,1000,700,1.2\nx,b,1000,760,1.3\n", "column 'std' may be what"),
        (
            "metric,variant,n,total\nx,control,1000,700\nx,b,1000,760\n",
            "data.csv: a file of sums needs a column",
        ),
        ("metric,variant,n,sum\nx,control,9,7\nx,b,9,10\n", "data.csv: line 3 (row 2): sum: 10 of 9 units"),
        ("metric,variant,n,sum\nx,control,9,7.5\nx,b,9,8\n", "data.csv: line 2 (row 1): sum: 7.5 of 9 units"),
        (
            "metric,variant,n,sum,sum_of_squares\nx,control,9,7,1\nx,b,9,8,70\n",
            "data.csv: line 2 (row 1): sum_of_s",
        ),
    ],
)
def test_sums_that_do_not_tell_a_share_from_a_mean_are_refused(run: Run, content: str, sentence: str) -> None:
    outcome = run("analyze", content)

    assert outcome.exit_code == 1
    assert sentence in words(outcome)


def test_a_file_of_sums_is_no_experiment_to_import(run: Run) -> None:
    outcome = run("import", CASES / "sums-in-capitals.csv", "--start", "2025-07-01")

    assert outcome.exit_code == 1
    assert "a file of sums, which 'neonblue analyze' reads" in words(outcome)


UNITS = "user_id,variant,time,converted\n" + "".join(
    f"u{i},{('control', 'treatment')[i % 2]},2025-07-01 12:00:00 UTC,{i % 3 // 2}\n" for i in range(30)
)


@pytest.mark.parametrize("command", ["analyze", "import"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (UNITS + "u99,control,2025-07-01\n", "line 32 (row 31): 3 cells where the header names 4 columns"),
        (
            UNITS + "u99,control,2025-07-01,1,x\n",
            "line 32 (row 31): 5 cells where the header names 4 columns",
        ),
        (UNITS + "u99,control,2025-07-01,1,\n", "line 32 (row 31): a separator too many at the end"),
        (UNITS + "u99,NaN,2025-07-01,1\n", "line 32 (row 31): variant: no arm ('NaN')"),
        (UNITS + "u99,Control,2025-07-01,1\n", "the arms 'Control' and 'control' differ only in"),
        (
            UNITS + "u99,control,2025-07-01,1e999999999\n",
            "line 32 (row 31): converted: '1e999999999' is too large",
        ),
        (UNITS.replace("2025-07-01 12:00:00 UTC", "03/04/2025"), "which is the day, which the month?"),
        (UNITS.replace("2025-07-01 12:00:00 UTC", "2025"), "'2025' is no time: it looks like a year"),
        (UNITS.replace("treatment", "control"), "column 'variant' has 1 arm (control), not two"),
        ("user_id,variant,time,converted\n", "there are no rows below the header"),
        ("", "the file is empty"),
        (
            "user_id,variant,revenue\n" + "".join(f"u{i},{'ab'[i % 2]},{i},50\n" for i in range(9)),
            "line 2 (row 1) has 4, the header 3; decimal commas must stand in quotes",
        ),
        (
            "user_id,variant,x\n1,a,1\n1,b,2\n2,a,3\n",
            "1 of 2 units are in more than one arm, which leaves 1 arms",
        ),
        (
            "user_id,variant,x\n1,none,1\n2,mail,2\n",
            "variant: no arm ('none'; if that is an arm, say --control none)",
        ),
    ],
)
def test_both_commands_name_line_and_reason(run: Run, command: str, content: str, sentence: str) -> None:
    start = () if command == "analyze" or ",time" in content else ("--start", "2025-07-01")

    outcome = run(command, content, *start)

    assert outcome.exit_code == 1
    assert sentence in words(outcome)


def test_separators_at_the_end_of_every_row_are_said(run: Run) -> None:
    header, *rows = UNITS.splitlines()

    outcome = run("analyze", "\n".join([header, *(f"{row}," for row in rows)]))

    assert outcome.exit_code == 0
    assert "every row ends with a separator too many" in words(outcome)


def test_a_unit_in_two_arms_is_left_out_and_counted_by_both(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(UNITS + "u0,treatment,2025-07-01,1\n")

    analysed, imported = of_analysis(path, Options()), of_import(path, Options(skip_bad_rows=True))

    assert isinstance(analysed, FileReport)
    assert analysed == imported
    assert [group.sentence for group in analysed.left_out] == [
        "2 rows (lines 2, 32): unit 'u0' is in more than one arm"
    ]


def test_an_import_of_which_the_analysis_would_be_invalid_is_refused(run: Run) -> None:
    content = UNITS + "u0,treatment,2025-07-01,1\n"

    assert answer(run("analyze", content, "--json"))["decision"]["action"] == "invalid"
    outcome = run("import", content)
    assert outcome.exit_code == 1
    assert "1 of 30 units (3.33 %) were exposed to several arms" in words(outcome)


def test_spaces_and_unseen_signs_are_no_part_of_an_arm_or_a_unit(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(UNITS + "u99 ,treatment ,2025-07-01,1\nu99,\u00a0treatment,2025-07-01,1\n")

    imported = of_import(path, Options())

    assert isinstance(imported, FileReport)
    assert (imported.read, imported.left_out) == (32, ())


@pytest.mark.parametrize("command", ["analyze", "import"])
def test_a_missing_file_and_a_folder_are_sentences(run: Run, command: str, tmp_path: Path) -> None:
    assert "there is no such file" in words(run(command, tmp_path / "absent.csv"))
    assert "this is a folder" in words(run(command, tmp_path))


@pytest.mark.parametrize(
    "weight", ["control=0", "control=x", "control=" + "9" * 5_000, "control=\u0663", "=1"]
)
def test_a_weight_that_is_none_is_named(run: Run, weight: str) -> None:
    outcome = run("import", UNITS, "--weight", weight)

    assert outcome.exit_code == 1
    assert "--weight:" in words(outcome)


@pytest.mark.parametrize("start", ["yesterday", "2025", "2999-01-01", "45839"])
def test_a_start_that_is_no_time_is_named(run: Run, start: str) -> None:
    outcome = run("import", UNITS, "--start", start)

    assert outcome.exit_code == 1
    assert "--start:" in words(outcome)


def test_a_column_named_as_a_metric_is_no_column_of_times(run: Run) -> None:
    content = UNITS.replace("2025-07-01 12:00:00 UTC", "35.5")

    assert "--ignore time" in words(run("analyze", content))
    assert answer(run("analyze", content, "--metric", "seconds=time", "--json"))["file"]["read"] == 30


def test_a_segment_without_one_of_the_arms_is_no_failure(run: Run, tmp_path: Path) -> None:
    header, *rows = UNITS.splitlines()
    content = "\n".join([f"{header},plan", *(f"{row},{'x' if 'control' in row else 'y'}" for row in rows)])

    outcome = run("analyze", content, "--segment", "plan", "--report", str(tmp_path / "out.html"))

    assert outcome.exit_code == 0, outcome.output


def test_a_report_that_can_not_be_written_is_a_sentence(run: Run, tmp_path: Path) -> None:
    outcome = run("analyze", UNITS, "--report", str(tmp_path / "absent" / "out.html"))

    assert outcome.exit_code == 1
    assert "--report: can't write" in words(outcome)


def test_two_sums_of_one_arm_are_no_comparison(run: Run) -> None:
    assert "has 1 arm (control), not two" in words(
        run("analyze", "metric,variant,n,sum\nx,control,9,4\ny,control,9,4\n")
    )


@pytest.mark.parametrize("command", ["analyze", "import"])
def test_a_weight_of_no_arm_is_named(run: Run, command: str) -> None:
    assert "--weight: no arm is called zz; the arms are control, treatment" in words(
        run(command, UNITS, "--weight", "zz=1")
    )


def test_where_nothing_tells_which_metric_decides_it_is_said(run: Run) -> None:
    content = "user_id,variant,minutes,pages\n" + "".join(
        f"u{i},{('control', 'b')[i % 2]},{i % 7}.5,{i % 5}\n" for i in range(40)
    )

    assert "no metric decides: name those that do with --metric" in words(run("analyze", content))
    assert "no metric decides" not in words(run("analyze", content, "--metric", "pages"))
