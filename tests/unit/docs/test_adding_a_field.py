"""The page for contributors names exactly the files that a field of an event took."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("neonblue", "api", "orchestration", "clickhouse", "connectors", "dbt_project")
FIELD = re.compile("app[_-]?version", re.IGNORECASE)
MADE = {"target", "logs", "dbt_packages", "__pycache__"}


def files_that_name_it() -> set[str]:
    paths = (path for name in FOLDERS for path in (ROOT / name).rglob("*"))
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.suffix in {".py", ".sql", ".yml", ".json", ".html"}
        and not MADE & set(path.relative_to(ROOT).parts)
        and (FIELD.search(path.name) or FIELD.search(path.read_text()))
    }


def test_the_page_names_the_files_that_the_field_took() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## A field of an event")[1].split("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`([\w./-]+/[\w.-]+\.\w+)`", table)) == files_that_name_it()
