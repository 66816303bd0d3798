"""The page for contributors names exactly the files that a field of an event took."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("neonblue", "api", "orchestration", "clickhouse", "connectors", "dbt_project")
FIELD = re.compile("app[_-]?version", re.IGNORECASE)
MADE = {"target", "logs", "dbt_packages", "__pycache__"}


def names_it(path: Path) -> bool:
    if (
        not path.is_file()
        or path.suffix not in {".py", ".sql", ".yml", ".json", ".html"}
        or MADE & set(path.relative_to(ROOT).parts)
    ):
        return False
    return FIELD.search(path.name) is not None or FIELD.search(path.read_text()) is not None


def test_the_page_names_the_files_that_the_field_took() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## A field of an event")[1].split("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    took = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if names_it(path)]
    # A later migration names the one before it, and a view's query is written out whole in each that changes it.
    for folder in ("clickhouse", "api/migrations/versions"):
        numbered = [path for path in took if path.parent == ROOT / folder]
        first = min(path.name[:4] for path in numbered)
        took = [path for path in took if path not in numbered or path.name.startswith(first)]

    named = set(re.findall(r"`([\w./-]+/[\w.-]+\.\w+)`", table))
    assert named == {path.relative_to(ROOT).as_posix() for path in took}
