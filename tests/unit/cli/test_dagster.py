"""Which of Dagster's commands are told where NeonBlue's definitions are."""

from __future__ import annotations

from pathlib import Path

import pytest

from neonblue.cli.dagster import with_target

WORKSPACE = Path("/data dir/dagster/workspace.yaml")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["job", "launch", "-j", "everything"], ["job", "launch", "-w", str(WORKSPACE), "-j", "everything"]),
        (["sensor", "list"], ["sensor", "list", "-w", str(WORKSPACE)]),
        (["asset", "materialize", "--select", "x"],
         ["asset", "materialize", "-m", "orchestration.definitions", "--select", "x"]),
    ],
)  # fmt: skip
def test_a_command_that_wants_definitions_gets_the_stacks(given: list[str], made: list[str]) -> None:
    assert with_target(given, WORKSPACE) == made


@pytest.mark.parametrize(
    "given",
    [
        ["job", "launch", "-m", "mine", "-j", "x"],
        ["job", "launch", "--workspace=mine.yaml"],
        ["asset", "list", "-f", "mine.py"],
        ["job", "launch", "--help"],
        ["run", "list", "--limit", "3"],
        ["instance", "info"],
        ["--version"],
        ["job"],
        [],
    ],
)
def test_any_other_command_is_left_as_it_is(given: list[str]) -> None:
    assert with_target(given, WORKSPACE) == given
