"""The page for contributors names the files that name each type, make each aggregation or know each kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from neonblue.contract.metric_types import METRIC_TYPES

ROOT = Path(__file__).parents[3]
FOLDERS = ("neonblue", "api", "orchestration", "clickhouse", "connectors", "dbt_project")
MADE = {"target", "logs", "dbt_packages", "__pycache__"}
SOURCES = [
    path
    for name in FOLDERS
    for path in (ROOT / name).rglob("*")
    if path.suffix in {".py", ".sql", ".yml"}
    and path.is_file()
    and not MADE & set(path.relative_to(ROOT).parts)
]
SIMULATED = "neonblue/simulation/"
"""A simulation draws what it likes, and never has to know all there is."""

AGGREGATION = re.compile(r"""aggregation\b[)}\s]*(:String\}\s)?(= 'any'|== "any")""")
PATH = re.compile(r"`([\w./-]+/[\w.-]+\.\w+)`")


def files(says: Callable[[str], object]) -> set[str]:
    named = {path.relative_to(ROOT).as_posix() for path in SOURCES if says(path.read_text())}
    return {name for name in named if not name.startswith(SIMULATED)}


def rows() -> list[set[str]]:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## A kind of metric")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [set(PATH.findall(line)) for line in table[2:]]


def remark() -> set[str]:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## A kind of metric")[1].split("\n## ")[0]
    return set(PATH.findall(section.split("\nWhere ")[1]))


def test_a_type_is_named_in_its_table_where_dbt_accepts_it_and_in_words() -> None:
    by_word = [re.compile(rf"\b{name}\b") for name in METRIC_TYPES]
    assert rows()[0] == files(lambda text: "etric" in text and all(word.search(text) for word in by_word))


def test_an_aggregation_is_made_in_the_models_the_watch_and_what_checks_the_models() -> None:
    assert rows()[1] - {"api/http/glossary.py"} == files(AGGREGATION.search)


def test_a_kind_is_known_where_its_method_is_named_or_it_is_told_from_another() -> None:
    def knows(text: str) -> bool:
        told = "MetricKind.RATIO" in text and "MetricKind.PROPORTION" in text
        return told or re.search(r"\bRATIO_DELTA\b", text) is not None

    assert rows()[2] | remark() == files(knows)
