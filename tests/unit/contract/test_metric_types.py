"""The types of metric are one table: whatever else names them names the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from api.http.glossary import FIELDS
from api.metric_catalogue.definitions import Aggregation, Denominator, MetricDefinition, MetricType
from neonblue.contract.guardrails import can_be_watched
from neonblue.contract.messages import DenominatorMessage, MetricFields, MetricMessage
from neonblue.contract.metric_types import (
    AGGREGATIONS,
    CAPPED,
    DENOMINATOR_AGGREGATIONS,
    DIVIDED,
    METRIC_TYPES,
    SUMMED,
)
from neonblue.statistics import MetricKind

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "dbt_project/models"
COMPARED = re.compile(r"\b(metric_type|aggregation)(?::String)?[)}\s]*(!?=) '(\w*)'")
"""A column of stg_metrics, compared with a text: as it is, in a function or as a macro's argument."""


def model(path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((MODELS / path).read_text())
    (found,) = document["models"]
    return {column["name"]: column for column in found["columns"]}


def accepted(column: dict[str, Any]) -> set[str]:
    (test,) = [test["accepted_values"] for test in column["data_tests"] if "accepted_values" in test]
    return set(test["arguments"]["values"])


def texts(column: str, *paths: Path) -> set[tuple[str, str]]:
    """How the SQL compares the column, and with what."""
    return {
        (sign, text)
        for path in paths
        for name, sign, text in COMPARED.findall(path.read_text())
        if name == column
    }


def test_the_catalogue_takes_these_types_and_no_other() -> None:
    for accepts, names in (
        (MetricType, METRIC_TYPES),
        (Aggregation, AGGREGATIONS),
        (Denominator.model_fields["aggregation"].annotation, DENOMINATOR_AGGREGATIONS),
    ):
        assert TypeAdapter(accepts).json_schema()["enum"] == list(names)


def test_the_models_accept_the_same() -> None:
    columns = model("staging/stg_metrics.yml")
    assert accepted(columns["metric_type"]) == set(METRIC_TYPES)
    assert set(re.findall(r"\w+", columns["metric_type"]["description"])) - {"or"} == set(METRIC_TYPES)
    assert accepted(columns["aggregation"]) == set(AGGREGATIONS)
    components = {name for one in METRIC_TYPES.values() for name in one.components}
    assert accepted(model("intermediate/metric_components.yml")["component"]) == components


def test_no_sql_of_a_model_asks_for_a_type_or_an_aggregation_that_there_is_not() -> None:
    found = sorted((ROOT / "dbt_project").glob("m[ao]*/**/*.sql"))
    types = texts("metric_type", *found)
    assert types
    assert {text for _, text in types} <= set(METRIC_TYPES)


def test_every_aggregation_has_its_sql_in_the_models_and_nowhere_else() -> None:
    models = ROOT / "dbt_project/macros/definitions/component_totals.sql"
    watch = ROOT / "orchestration/defs/guardrails/repository.py"
    assert texts("aggregation", models) == {("=", name) for name in AGGREGATIONS if name != "count"}
    assert texts("aggregation", watch) == set()


def test_the_glossary_says_what_every_aggregation_is() -> None:
    assert {part.split(":")[0] for part in FIELDS["aggregation"].split("; ")} == set(AGGREGATIONS)


def test_the_dashboards_leave_out_what_sums_do_not_give_and_divide_what_has_a_denominator() -> None:
    folder = ROOT / "neonblue/dashboards/sql"
    assert texts("metric_type", folder / "metrics.sql") == {("!=", name) for name in METRIC_TYPES} - {
        ("!=", name) for name in SUMMED
    }
    assert texts("metric_type", folder / "metric_by_day.sql") == {("=", name) for name in DIVIDED}


def test_each_type_is_judged_as_a_kind_of_the_statistics_engine_and_each_kind_judges_one() -> None:
    assert {one.judged_as for one in METRIC_TYPES.values()} == set(MetricKind)


@pytest.mark.parametrize("owner", [MetricFields, MetricDefinition])
def test_the_description_of_a_definition_speaks_of_every_type(owner: type) -> None:
    assert {name for name in METRIC_TYPES if f"`{name}`" in (owner.__doc__ or "")} == set(METRIC_TYPES)


@pytest.mark.parametrize("name", METRIC_TYPES)
def test_what_a_type_says_of_itself_is_what_its_definitions_may_have(name: str) -> None:
    one = METRIC_TYPES[name]
    needed: dict[str, Any] = {"type": name, "event_type": "e", "aggregation": one.aggregations[0]}
    if one.below:
        needed["denominator"] = {"event_type": "d", "aggregation": one.below[0]}
    if one.which_quantile:
        needed["quantile"] = "0.5"
    if one.later:
        needed |= {"window_start_seconds": 60, "window_seconds": 120}

    def takes(**fields: Any) -> bool:
        try:
            MetricDefinition.model_validate(needed | fields)
        except ValueError:
            return False
        return True

    assert takes()
    assert takes(aggregation="any") == ("any" in one.aggregations)
    assert takes(denominator={"event_type": "d", "aggregation": "count"}) == bool(one.below)
    assert takes(denominator=None) != bool(one.below)
    assert takes(quantile="0.9") == one.which_quantile
    assert takes(cap="5") == takes(cap_percentile="0.9") == one.capped == (name in CAPPED)
    assert takes(missing="exclude") == one.can_exclude
    assert takes(window_start_seconds=0, window_seconds=None) != one.later
    assert takes(cuped=True) == one.summed


def test_a_guardrail_is_watched_where_sums_say_all_of_it() -> None:
    def watched(name: str) -> bool:
        below = METRIC_TYPES[name].below
        return can_be_watched(
            MetricMessage(
                key="m",
                type=name,
                role="guardrail",
                event_type="e",
                aggregation=METRIC_TYPES[name].aggregations[0],
                denominator=DenominatorMessage(event_type="d", aggregation=below[0]) if below else None,
                window_seconds=60,
            )
        )

    assert {name for name in METRIC_TYPES if watched(name)} == SUMMED
