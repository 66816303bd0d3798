"""The page of layers says what import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("neonblue", "neonblue.stack", "neonblue.statistics", "api", "orchestration")


def checked(package: str) -> list[set[str]]:
    """Each layer's parts, from the top, of the one contract of this package, which leaves none out."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["type"] == "layers" and each["containers"] == [package])
    assert contract["exhaustive"] is True
    assert "exhaustive_ignores" not in contract
    assert "ignore_imports" not in contract
    return [set(layer.split(" | ")) for layer in contract["layers"]]


def told(package: str) -> list[set[str]]:
    page = (ROOT / "docs" / "architecture" / "layers.md").read_text()
    (section,) = re.findall(rf"^##+ {re.escape(package)}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [set(re.findall(r"`(\w+)`", row)) for row in rows]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_has_the_layers_that_are_checked(package: str) -> None:
    assert told(package) == checked(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_part_has_one_place(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    parts = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    parts |= {path.parent.name for path in folder.glob("*/__init__.py")}
    placed = [part for layer in checked(package) for part in layer]

    assert sorted(placed) == sorted(parts)
