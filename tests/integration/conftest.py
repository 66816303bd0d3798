"""The order of the modules, of which each worker takes the next whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONG = (
    "dashboards",
    "stack",
    "results",
    "orchestration",
    "dbt_project",
    "republication",
    "compose",
    "openfeature",
)
"""Folders whose modules take a minute or more, which start stacks or build all models."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take long come first: one that begins last would leave the other worker without work."""
    assert all((HERE / folder).is_dir() for folder in LONG)
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    if not path.is_relative_to(HERE):
        return 0
    folder = path.relative_to(HERE).parts[0]
    return LONG.index(folder) + 1 if folder in LONG else len(LONG) + 1
