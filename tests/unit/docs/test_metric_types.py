"""The page for contributors names exactly the files that tell types of metrics from one another."""

from __future__ import annotations

import re
from typing import get_args

from api.metric_catalogue.definitions import MetricType
from tests.unit.docs.pages import ROOT, text

FOLDERS = (
    "api/metric_catalogue",
    "neonblue/analysis",
    "neonblue/contract",
    "neonblue/findings",
    "neonblue/guardrails",
    "neonblue/results",
    "orchestration",
)
# The field `quantile` of an example is no type.
_TYPE = re.compile(r"\"(?:proportion|retention|ratio|quantile)\"(?!: None)")


def test_the_page_names_the_files_that_know_types_of_metrics() -> None:
    section = text("CONTRIBUTING.md").split("## A type of metric")[1].split("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    know = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if _TYPE.search(path.read_text())
    }

    named = set(re.findall(r"`([\w./-]+/[\w.-]+\.\w+)`", table))
    assert named == know | {"dbt_project/models/staging/stg_metrics.yml"}


def test_the_models_accept_the_types_that_the_api_does() -> None:
    accepted = re.search(
        r"- name: metric_type\n.*?values: \[([^\]]+)\]",
        (ROOT / "dbt_project/models/staging/stg_metrics.yml").read_text(),
        re.DOTALL,
    )
    assert accepted is not None
    assert sorted(accepted[1].split(", ")) == sorted(get_args(MetricType))
