"""``neonblue analyze --report`` on a small file."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from neonblue.cli.analyze import analyze as analyze_command

app = typer.Typer()
app.command()(analyze_command)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = ["user_id,variant,converted,platform"]
    rows += [
        f"{i},{'ab'[i % 2]},{int(i // 2 % 10 < 3 + i % 2 * 3)},{('ios', 'web')[i // 2 % 2]}"
        for i in range(800)
    ]
    path = tmp_path / "checkout.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_the_report_holds_the_decision_and_the_segments(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.html"
    options = ("--metric", "converted", "--segment", "platform", "--report", str(target))
    outcome = CliRunner().invoke(app, [str(file), *options])
    assert outcome.exit_code == 0, outcome.output
    page = target.read_text()
    assert "Ship b: converted +100.0 %" in page
    assert "platform: ios" in page
    assert "the file checkout.csv" in page
    assert "The data say nothing of when a unit entered." in page


@pytest.mark.parametrize(
    ("column", "words"), [("absent", "no column 'absent'"), ("user_id", "has 800 values; at most 20")]
)
def test_a_column_that_can_not_be_segments_is_refused(
    file: Path, tmp_path: Path, column: str, words: str
) -> None:
    options = ("--metric", "converted", "--segment", column, "--report", str(tmp_path / "out.html"))
    outcome = CliRunner().invoke(app, [str(file), *options])
    assert outcome.exit_code == 1
    assert words in " ".join(outcome.output.split())
