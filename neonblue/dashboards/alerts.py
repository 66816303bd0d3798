"""The alerts of Prometheus' rules, of which panels name those that fire on what they show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]

_LABELS = re.compile(r"\{[^}]*\}")
_COMPARED = re.compile(r"[^<>=]*(?P<sign>[<>]=?|==)\s*(?P<limit>[\d.]+(?:\s*\*\s*[\d.]+)*)\s*")


@dataclass(frozen=True, slots=True)
class Alert:
    """When it fires, and the page that says what to do. `runbook`: a path in the repository, with an anchor."""

    name: str
    expr: str
    severity: str
    runbook: str

    @property
    def limit(self) -> float | None:
        """The number that its value is compared with; None where it is compared with something else, or twice."""
        found = self._compared()
        return None if found is None else math.prod(map(float, found["limit"].split("*")))

    @property
    def fires_below(self) -> bool:
        """Whether small values are the bad ones."""
        found = self._compared()
        return found is not None and found["sign"] in {"<", "<=", "=="}

    def _compared(self) -> re.Match[str] | None:
        return _COMPARED.fullmatch(_LABELS.sub("", self.expr))


def read_alerts(folder: Path) -> Mapping[str, Alert]:
    """By name, out of the rules' files."""
    found = {}
    for file in sorted(folder.glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    found[rule["alert"]] = Alert(
                        rule["alert"],
                        rule["expr"],
                        rule["labels"]["severity"],
                        rule["annotations"]["runbook_url"],
                    )
    return found
