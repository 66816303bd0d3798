"""Finds the SQL, dbt, connector and monitoring files: beside the packages in a checkout, inside them when installed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


class Folder(StrEnum):
    """The folders that hold files instead of code."""

    CLICKHOUSE = "clickhouse"
    COMPOSE = "compose"
    CONNECTORS = "connectors"
    MONITORING = "compose/monitoring"
    DBT_PROJECT = "dbt_project"


def folder(name: Folder) -> Path:
    """The folder's path. Raises ``FileNotFoundError`` when the installation lacks it."""
    for candidate in (_PACKAGE.parent / name, _PACKAGE / "_files" / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the folder {name} is missing from this installation: install NeonBlue again")


def write_private(path: Path, text: str) -> None:
    """Write `text` (UTF-8) to a file that its owner alone can read, replaced in one step."""
    staging = path.with_name(f"{path.name}.tmp")
    staging.unlink(missing_ok=True)
    staging.touch(mode=0o600, exist_ok=False)
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)
