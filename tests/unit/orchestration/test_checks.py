"""The page that says which fault each check guards against holds every check, and the models know what the API does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from dagster import Definitions

from api.experiments.schemas import ExperimentFields
from api.metric_catalogue.definitions import Aggregation, DefinitionFields, MetricType, Role
from neonblue.contract.life_cycle import Status
from neonblue.settings import Settings
from orchestration.definitions import build
from orchestration.project import prepare_manifest, project_path

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"
_ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| (blocks|error|warning) \| [^|]{10,} \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def definitions(parsed: Settings) -> Definitions:
    return build(parsed)


@pytest.fixture(scope="module")
def of_models(parsed: Settings) -> dict[str, str]:
    """The kind of each test of a model, by its name."""
    nodes = json.loads(prepare_manifest(parsed).read_text())["nodes"].values()
    tests = [node for node in nodes if node["resource_type"] == "test"]
    assert {node["config"]["severity"].lower() for node in tests} == {"error"}
    return {node["name"]: (node.get("test_metadata") or node)["name"] for node in tests}


def test_the_page_says_of_every_check_what_it_guards_against(
    definitions: Definitions, of_models: dict[str, str]
) -> None:
    graph = definitions.resolve_asset_graph()
    blocking: set[str] = set()
    other: set[str] = set()
    for key in graph.asset_check_keys:
        (blocking if graph.get(key).blocking else other).add(of_models.get(key.name, key.name))

    found = _ROW.findall(PAGE.read_text())
    documented = dict(found)

    assert len(documented) == len(found)
    assert {name for name, level in found if level == "blocks"} == blocking
    assert {name for name, level in found if level != "blocks"} == other - blocking


def test_every_test_of_a_model_is_a_check(definitions: Definitions, of_models: dict[str, str]) -> None:
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    assert of_models.keys() <= checks


@pytest.mark.parametrize(
    ("model", "column", "values"),
    [
        ("stg_experiments", "status", list(Status)),
        ("stg_experiments", "population", get_args(ExperimentFields.model_fields["population"].annotation)),
        ("stg_metrics", "metric_type", get_args(MetricType)),
        ("stg_metrics", "role", get_args(Role)),
        ("stg_metrics", "aggregation", get_args(Aggregation)),
        ("stg_metrics", "direction", get_args(DefinitionFields.model_fields["direction"].annotation)),
    ],
)
def test_staging_accepts_exactly_what_the_api_accepts(model: str, column: str, values: Any) -> None:
    described = yaml.safe_load((project_path() / "models" / "staging" / f"{model}.yml").read_text())
    (found,) = [one for one in described["models"][0]["columns"] if one["name"] == column]
    (accepted,) = [test["accepted_values"]["arguments"]["values"] for test in found["data_tests"]]
    assert sorted(accepted) == sorted(str(value) for value in values)
