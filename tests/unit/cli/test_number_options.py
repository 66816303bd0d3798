"""Numbers that no option can mean: each is refused at once, with the option's name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner, Result

from neonblue.cli.main import COMMANDS, _command, app

_ODD = ("nan", "inf", "-inf", "-1", "1e308", "1" + "0" * 30, "")
_DATA = "unit,variant,revenue,bought\n" + "".join(
    f"u{n},{('control', 'treatment')[n % 2]},{n % 7},{n % 3 % 2}\n" for n in range(80)
)


def _numeric(command: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Each numeric option or argument: how the command is called with it in the place of {}, and its name."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _numeric(below, (*path, name))
        return
    for one in command.params:
        if not {int, float} & {one.type_descriptor.annotation, *get_args(one.type_descriptor.annotation)}:
            continue
        needed: list[str] = []
        for other in command.params:
            if other.required and other is not one:
                needed += ["x"] if other.param_type_name == "argument" else [other.opts[0], "x"]
        if one.param_type_name == "argument":
            yield pytest.param(
                (*path, *needed, "--", "{}"), one.metavar or one.name, id=" ".join((*path, one.name))
            )
        else:
            yield pytest.param(
                (*path, *needed, one.opts[0] + "={}"), one.opts[0], id=" ".join((*path, one.opts[0]))
            )


def _every() -> list[Any]:
    return [one for name in COMMANDS for one in _numeric(_command(name), (name,))]


def invoke(*arguments: str) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})


def refused(done: Result, name: str) -> None:
    assert done.exit_code in (1, 2), (done.output, done.exception)
    assert isinstance(done.exception, SystemExit), done.exception
    assert name in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text(_DATA)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize(("arguments", "name"), _every())
def test_no_command_takes_a_number_that_means_nothing(
    arguments: tuple[str, ...], name: str, odd: str
) -> None:
    if (name, odd) == ("--baseline", "-1"):
        refused(invoke("power", "--baseline=-1", "--mde", "1%"), name)  # a mean may be negative, a rate not
        return

    refused(invoke(*(part.replace("{}", odd) for part in arguments)), name)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        *((("power", "--baseline", "0.1", f"--mde={odd}"), "--mde") for odd in (*_ODD, "0", "nan%", "inf%", "1e308%")),
        *((("power", "--baseline", "0.1", f"--margin={odd}"), "--margin") for odd in (*_ODD, "0", "-200%", "nan%")),
        (("power", "--baseline", "0.1", "--mde=-200%"), "--mde"),
        (("power", "--baseline", "0.9", "--mde=20%"), "--mde"),
        (("power", "--baseline", "0.1", "--correlation", "0.5", "--mde=1000%"), "--mde"),
        (("power", "--baseline", "0.1", "--mde=1%", "--looks", "1000"), "--looks"),
        *((("analyze", "data.csv", "--weight", f"control={odd}"), "--weight") for odd in (*_ODD, "0", "1e-300")),
        (("analyze", "data.csv", "--weight", "control=1e308", "--weight", "treatment=1e308"), "--weight"),
        (("analyze", "data.csv", "--weight", "control=1", "--weight", "control=2"), "--weight"),
        (("analyze", "data.csv", "--weight", "3"), "--weight"),
        *((("analyze", "data.csv", "--guardrail", f"revenue={odd}"), "--guardrail") for odd in (*_ODD, "0", "-2%")),
        *((("analyze", "data.csv", "--guardrail", f"revenue={odd}%"), "--guardrail") for odd in _ODD),
        (("analyze", "data.csv", "--guardrail", "revenue=1000%"), "--guardrail"),
        (("analyze", "data.csv", "--guardrail", "revenue=1%", "--guardrail", "revenue=2%"), "--guardrail"),
        (("analyze", "data.csv", "--guardrail", "revenue", "--secondary", "revenue"), "--secondary"),
        (("analyze", "data.csv", "--look", "0.5", "--look", "0.5"), "--look"),
        (("analyze", "data.csv", *(f"--look={n / 1000}" for n in range(1, 500))), "--look"),
        (("analyze", "data.csv", "--traffic", "0"), "--traffic"),
        (("analyze", "data.csv", "--traffic", "-3"), "--traffic"),
        (("import", "data.csv", "--key=x", "--start=2026-01-01", "--weight=control=1", "--weight=control=2"),
         "--weight"),
    ],
)  # fmt: skip
def test_what_is_given_as_text_is_held_to_the_same(arguments: tuple[str, ...], name: str) -> None:
    refused(invoke(*arguments), name)


def test_the_most_looks_are_planned_in_time() -> None:
    done = invoke("power", "--baseline", "0.1", "--mde", "10%", "--looks", "100")

    assert done.exit_code == 0
    assert "100 looks" in done.stdout
