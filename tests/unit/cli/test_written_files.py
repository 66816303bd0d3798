"""What a command writes where its user says: a new file or a report of before, and nobody's data."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from neonblue.cli.main import app
from neonblue.cli.written_files import require_replaceable

_DATA = "unit,variant,bought\n" + "".join(
    f"u{n},{('control', 'treatment')[n % 2]},{n % 3 % 2}\n" for n in range(80)
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "b.csv"
    file.write_text(_DATA)
    return file


def analyze(data: Path, report: Path) -> Result:
    return CliRunner().invoke(app, ["analyze", str(data), "--report", str(report)])


def test_the_data_file_is_never_written_over_by_any_of_its_names(data: Path, tmp_path: Path) -> None:
    symbolic, hard = tmp_path / "symbolic.html", tmp_path / "hard.html"
    symbolic.symlink_to(data)
    hard.hardlink_to(data)

    for name in (data, tmp_path / "." / "b.csv", symbolic, hard):
        done = analyze(data, name)

        assert done.exit_code == 1
        assert "is the data file itself" in " ".join(done.stderr.split())
        assert done.stdout == ""
    assert data.read_text() == _DATA


def test_data_that_is_read_through_a_link_is_not_written_over(data: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(data)

    assert analyze(link, data).exit_code == 1
    assert data.read_text() == _DATA


@pytest.mark.parametrize("name", ["other.csv", "notes.html", "notes", "figure.png", "figure.pdf"])
def test_what_is_no_report_is_left_as_it_is(data: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / name
    other.write_text("kept")

    done = analyze(data, other)

    assert done.exit_code == 1
    assert "is no report" in " ".join(done.stderr.split())
    assert other.read_text() == "kept"


def test_a_table_that_is_written_in_html_is_left_as_it_is(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "sheet.xls"
    other.write_text("<html><table></table></html>")

    assert analyze(data, other).exit_code == 1
    assert other.read_text().startswith("<html>")


@pytest.mark.parametrize("before", ["", "<!DOCTYPE html><p>old</p>", "\ufeff <html>old"])
def test_a_report_of_before_is_replaced(data: Path, tmp_path: Path, before: str) -> None:
    report = tmp_path / "report.html"
    report.write_text(before, encoding="utf-8")

    assert analyze(data, report).exit_code == 0
    assert analyze(data, report).exit_code == 0
    assert report.read_text().startswith("<!doctype html>")


def test_a_device_may_be_written(data: Path) -> None:
    assert analyze(data, Path("/dev/null")).exit_code == 0


@pytest.mark.parametrize(
    ("name", "begins", "good"),
    [("a.png", b"\x89PNG\r\n", True), ("a.pdf", b"%PDF-1.7", True), ("a.png", b"%PDF-1.7", False)],
)  # fmt: skip
def test_figures_replace_figures(tmp_path: Path, name: str, begins: bytes, good: bool) -> None:
    figure = tmp_path / name
    figure.write_bytes(begins)

    if good:
        require_replaceable(figure, "--figures")
    else:
        with pytest.raises(typer.Exit):
            require_replaceable(figure, "--figures")


def test_a_benchmark_keeps_out_of_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")

    done = CliRunner().invoke(app, ["bench", "queries", "--in", str(tmp_path)])

    assert done.exit_code == 1
    assert "--in" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
