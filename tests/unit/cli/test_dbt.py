"""Which of dbt's arguments is its command."""

from __future__ import annotations

import pytest

from neonblue.cli.dbt import command_of


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["run", "--select", "build"], "run"),
        (["--quiet", "build"], "build"),
        (["--log-level", "debug", "test"], "test"),
        (["--log-level=debug", "test"], "test"),
        (["docs", "generate"], "docs"),
        (["--version"], ""),
        ([], ""),
    ],
)
def test_the_command_is_found_among_the_options(arguments: list[str], command: str) -> None:
    assert command_of(arguments) == command
