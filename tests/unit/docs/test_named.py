"""What the pages name in back-ticks is there: files, folders, modules; and every variable is a setting."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from neonblue.cli.settings_list import settings_list
from tests.unit.docs.pages import NAMES, ROOT, text, words

_PATH = re.compile(r"\.{0,2}/?[\w.*-]+(?:/[\w.*-]+)*/?")
_SOURCE = re.compile(
    r".+\.(?:py|sql|yml|yaml|md|toml|lock|json|jsonl|html|mjs|js|xml|properties|conf|ini|env|txt)"
)
_MODULE = re.compile(r"(?:neonblue|api|orchestration|tests)(?:\.\w+)+")
_NOT_OURS = {".venv", ".git", ".neonblue", "build", "dist", "target", "logs", "dbt_packages", "node_modules"}
# Addresses below the API's, and what looks like a path and is none.
_NO_PATH = re.compile(r"/.*|(?:application|text)/.*|\d+/\d+/\d+")

MADE = {
    "a stack, in its data folder": {
        ".neonblue",
        "clickhouse/server/user_files",
        "code-server",
        "dagster/storage",
        "dbt",
        "dbt/logs",
        "dbt/profiles.yml",
        "dbt/target",
        "logs",
        "logs/*.log.1",
        "logs/SERVICE.log",
        "logs/supervisor.log",
        "monitoring/prometheus",
        "neonblue.env",
    },
    "neonblue compose init": {
        "config",
        "config/grafana/provisioning/datasources/neonblue.yaml",
        "config/monitoring/otel-collector.yml",
        "config/monitoring/rules",
        "config/postgresql.conf",
        "secrets",
        "secrets/clickhouse-users.xml",
        "settings.env",
    },
    "make": {"dist", "sbom.json"},
    "an owner of models": {
        "models/weekly_conversions.sql",
        "models/weekly_conversions.yml",
        "packages.yml",
        "selectors.yml",
    },
    "an owner of a dbt project": {"neonblue/days"},
}
SETTINGS = {setting.name for setting in settings_list()}
# What the orchestration sets for dbt, which has no settings of ours.
FOR_DBT = set(re.findall(r'"(NEONBLUE_DBT_\w+)"', (ROOT / "orchestration" / "project.py").read_text()))


@cache
def ours() -> tuple[str, ...]:
    """Every file and folder of the repository, from its root."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _NOT_OURS and name != "__pycache__"]
        found += [Path(folder, name).relative_to(ROOT).as_posix() for name in (*folders, *files)]
    return tuple(found)


def is_there(word: str) -> bool:
    """Whether it is a file or folder of the repository, from the root or from a folder of its own."""
    name = word.removeprefix("./").rstrip("/")
    if any(name.removeprefix(".neonblue/") in made for made in MADE.values()):
        return True
    pattern = re.compile(r"(?:.*/)?" + re.escape(name).replace(r"\*", "[^/]*"))
    return any(pattern.fullmatch(path) for path in ours())


def is_module(word: str) -> bool:
    """Whether it is a module, or a name that a module has."""
    path = ROOT
    parts = word.split(".")
    for place, part in enumerate(parts):
        if (path / part).is_dir():
            path /= part
            continue
        file = path / f"{part}.py"
        rest = parts[place + 1 :] if file.is_file() else parts[place:]
        file = file if file.is_file() else path / "__init__.py"
        return file.is_file() and all(re.search(rf"\b{name}\b", file.read_text()) for name in rest)
    return True


def lost(page: str) -> list[str]:
    found = []
    for word in words(page):
        if _MODULE.fullmatch(word) and not _SOURCE.fullmatch(word):
            found += [] if is_module(word) else [word]
        elif (
            _PATH.fullmatch(word)
            and not _NO_PATH.fullmatch(word)
            and ("/" in word or _SOURCE.fullmatch(word))
        ):
            found += [] if is_there(word) else [word]
    return found


@pytest.mark.parametrize("page", NAMES)
def test_every_file_folder_and_module_of_the_page_is_there(page: str) -> None:
    assert lost(page) == []


@pytest.mark.parametrize("page", NAMES)
def test_every_variable_of_the_page_is_a_setting(page: str) -> None:
    for name in re.findall(r"NEONBLUE_\w+", text(page)):
        kin = [setting for setting in SETTINGS if setting.startswith(name)]
        assert name in SETTINGS | FOR_DBT or (name.endswith("_") and kin), name


@pytest.mark.parametrize(
    "word",
    [
        "api/events/nothing.py",
        "neonblu/contract",
        "nothing.sql",
        "neonblue.contract.nothing",
        "neonblue.none",
    ],
)
def test_what_is_not_there_is_found(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.docs.pages.text", lambda page: f"See `{word}`.")

    assert lost("page") == [word]
