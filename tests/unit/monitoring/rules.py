"""The rules of ``compose/monitoring``, as the tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "compose" / "monitoring"
_NAME = re.compile(r"(?<![\w:\"/])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()")
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|without) \([^)]*\)|\"[^\"]*\"|\[[^\]]*\]")
_WORDS = frozenset({"and", "or", "unless", "on", "by", "without", "bool"})


def rules() -> list[dict[str, Any]]:
    """Every rule, alerts and recorded ones."""
    return [
        rule
        for file in sorted((FOLDER / "rules").glob("*.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def metrics(expression: str) -> set[str]:
    """The names of metrics in an expression."""
    return {name for name in _NAME.findall(_LABELS.sub(" ", expression)) if name not in _WORDS}
