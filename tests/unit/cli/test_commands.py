"""The commands where nothing runs: what they say, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neonblue.cli.main import app

Run = Callable[..., Result]

NOBODY = {
    "NEONBLUE_API_PORT": "9",
    "NEONBLUE_CLICKHOUSE_PORT": "9",
    "NEONBLUE_POSTGRES_PORT": "9",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])

    return invoke


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql", "SELECT 1"),
        ("results", "checkout"),
        ("report", "checkout"),
        ("reconcile",),
        ("reconcile", "--json"),
    ],
)
def test_a_service_that_is_not_there_is_an_error_in_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert done.exit_code == 1
    assert "error" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["results", "report"])
def test_a_folder_without_a_stack_is_told(run: Run, command: str) -> None:
    done = run(command, "checkout")

    assert "there is no stack in" in done.stderr
    assert "--data-dir" in done.stderr


@pytest.mark.parametrize("command", ["results", "report"])
def test_an_api_that_is_not_there_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("NEONBLUE_API_TOKEN", "secret")
    monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PASSWORD", "secret")

    done = run(command, "checkout")

    assert done.exit_code == 1
    assert "does not answer at" in done.stderr
    assert "neonblue up" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["results", "report"])
@pytest.mark.parametrize(
    "key", ["", " ", ".", "..", "a/b", "a b", "a?x=1", "%2e", "ä", "\x1b[31mred", "\udcff", "[red]"]
)
def test_what_can_be_no_key_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, key: str
) -> None:
    monkeypatch.setenv("NEONBLUE_API_TOKEN", "secret")
    monkeypatch.setenv("NEONBLUE_CLICKHOUSE_PASSWORD", "secret")

    done = run(command, key)

    assert done.exit_code == 1
    assert "no experiment can be called" in done.stderr
    assert "\x1b[31m" not in done.stderr


def test_an_import_names_the_column_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("user_id,variant,spend\n1,a,2\n2,b,3\n")

    done = run("import", str(file), "--key", "shop", "--start", "2025-07-01", "--metric", "profit")

    assert done.exit_code == 1
    assert "--metric: there is no column 'profit'" in done.stderr


def test_an_import_asks_what_blank_cells_count_as_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("user_id,variant,rating\n1,a,2\n2,b,n/a\n")

    done = run("import", str(file), "--key", "shop", "--start", "2025-07-01")

    assert done.exit_code == 1
    assert "rating: 1 of 2 cells is blank; say --missing rating=exclude" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--start", "soon"), "--start: 'soon' is not a time"),
        (
            ("--start", "2025-07-01", "--control", "a", "--weight", "b"),
            "--weight: 'b' is not of the form ARM=n",
        ),
        (("--start", "2025-07-01", "--control", "c"), "--control: no arm is called 'c'; the arms are a, b"),
        (("--control", "a"), "--start:"),
    ],
)
def test_an_import_says_which_option_is_wrong(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("user_id,variant,spend\n1,a,2\n2,b,3\n")

    done = run("import", str(file), "--key", "shop", *options)

    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())


def test_every_command_has_a_help(run: Run) -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        done = CliRunner().invoke(app, [name, "--help"])
        assert done.exit_code == 0, (name, done.output)


def test_every_tool_explains_itself(run: Run) -> None:
    for command in ("import", "demo", "results", "reconcile", "sql", "simulate experiment"):
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, command
        assert "--data-dir" in done.stdout
