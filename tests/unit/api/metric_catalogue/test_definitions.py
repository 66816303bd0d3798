"""A definition of a metric that can't be computed can't be made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from api.metric_catalogue.definitions import MetricDefinition, stored
from neonblue.contract.messages import MetricMessage
from neonblue.contract.violation import ContractError

Fields = dict[str, Any]

GOOD: dict[str, Fields] = {
    "proportion": {"type": "proportion", "aggregation": "any"},
    "mean of a sum": {"type": "mean", "aggregation": "sum", "cap": "500"},
    "mean of a count": {"type": "mean", "aggregation": "count", "cap_percentile": "0.99"},
    "count": {"type": "count", "aggregation": "count", "property_filter": {"page": "/checkout"}},
    "ratio": {
        "type": "ratio", "aggregation": "sum", "denominator": {"event_type": "visit", "aggregation": "count"},
    },
    "retention": {
        "type": "retention", "aggregation": "any", "window_start_seconds": 604_800, "window_seconds": 1_209_600,
    },
    "quantile": {"type": "quantile", "aggregation": "sum", "quantile": "0.9"},
    "rating": {"type": "mean", "aggregation": "sum", "missing": "exclude"},
    "guardrail": {"type": "mean", "aggregation": "sum", "role": "guardrail", "margin": "0.02"},
}  # fmt: skip

REFUSED: dict[str, tuple[str, str, Fields]] = {
    "a proportion of a sum": ("proportion", "aggregation", {"aggregation": "sum"}),
    "a retention of a count": ("retention", "aggregation", {"aggregation": "count"}),
    "a count of a sum": ("count", "aggregation", {"aggregation": "sum"}),
    "a mean of any": ("mean of a sum", "aggregation", {"aggregation": "any"}),
    "a ratio of any": ("ratio", "aggregation", {"aggregation": "any"}),
    "a quantile of any": ("quantile", "aggregation", {"aggregation": "any"}),
    "a ratio over nothing": ("ratio", "denominator", {"denominator": None}),
    "a mean over something": (
        "mean of a sum", "denominator", {"denominator": {"event_type": "visit", "aggregation": "count"}},
    ),
    "no quantile": ("quantile", "quantile", {"quantile": None}),
    "a mean's quantile": ("mean of a sum", "quantile", {"quantile": "0.5"}),
    "a quantile's covariate": ("quantile", "cuped", {"cuped": True}),
    "retention from the exposure on": ("retention", "window_start_seconds", {"window_start_seconds": 0}),
    "retention without an end": ("retention", "window_seconds", {"window_seconds": None}),
    "an empty window": ("retention", "window_seconds", {"window_seconds": 604_800}),
    "a window that ends before it starts": ("mean of a sum", "window_seconds", {
        "window_start_seconds": 10, "window_seconds": 5,
    }),
    "a capped proportion": ("proportion", "cap", {"cap": "1"}),
    "a capped ratio": ("ratio", "cap", {"cap": "1"}),
    "a capped quantile": ("quantile", "cap_percentile", {"cap_percentile": "0.99"}),
    "two caps": ("mean of a sum", "cap_percentile", {"cap_percentile": "0.99"}),
    "who answered yes alone": ("proportion", "missing", {"missing": "exclude"}),
    "who came back alone": ("retention", "missing", {"missing": "exclude"}),
    "a ratio of those above": ("ratio", "missing", {"missing": "exclude"}),
    "a primary's margin": ("guardrail", "margin", {"role": "primary"}),
    "a margin that allows to lose everything": ("guardrail", "margin", {"margin": "1"}),
    "a margin that no rate can reach": ("proportion", "margin", {
        "role": "guardrail", "margin": "1.5", "margin_relative": False,
    }),
}  # fmt: skip

OUT_OF_RANGE: dict[str, Fields] = {
    "cap": {"cap": "0"},
    "cap_percentile": {"cap": None, "cap_percentile": "1"},
    "window_seconds": {"window_seconds": 2**63},
    "window_start_seconds": {"window_start_seconds": -1},
    "minimum_effect": {"minimum_effect": "-0.01"},
    "margin": {"role": "guardrail", "margin": "NaN"},
    "type": {"type": "median"},
    "direction": {"direction": "sideways"},
    "event_type": {"event_type": "a\x00b"},
    "property_filter": {"property_filter": {f"p{n}": "x" for n in range(21)}},
    "colour": {"colour": "red"},
    "missing": {"missing": "drop"},
    "margin_relative": {"margin_relative": "yes"},
}


@pytest.mark.parametrize("name", GOOD)
def test_a_definition_survives_storing_and_reading(name: str) -> None:
    definition = MetricDefinition.model_validate({"event_type": "purchase", **GOOD[name]})
    message = definition.message("m", 3)
    fields = stored(message)
    assert {"key", "version"}.isdisjoint(fields)
    read = msgspec.convert(
        msgspec.json.decode(msgspec.json.encode(fields | {"key": "m", "version": 3})), MetricMessage
    )
    assert read == message
    assert MetricDefinition.model_validate(fields).message("m", 3) == message


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_computed_is_refused_by_field_and_code(name: str) -> None:
    base, field, changes = REFUSED[name]
    with pytest.raises(ValidationError) as refused:
        MetricDefinition.model_validate({"event_type": "purchase", **GOOD[base], **changes})
    (error,) = refused.value.errors()
    rule = error["ctx"]["error"]
    assert isinstance(rule, ContractError)
    assert (rule.violation.code, rule.violation.field) == ("not_computable", field)


@pytest.mark.parametrize("field", OUT_OF_RANGE)
def test_a_field_out_of_its_range_is_named(field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MetricDefinition.model_validate(
            {"event_type": "purchase", **GOOD["mean of a sum"], **OUT_OF_RANGE[field]}
        )
    assert {str(error["loc"][0]) for error in refused.value.errors()} == {field}


def test_variance_is_reduced_wherever_the_type_allows_it() -> None:
    chosen = {
        name: MetricDefinition.model_validate({"event_type": "e", **fields}).message("m", 1).cuped
        for name, fields in GOOD.items()
    }
    assert {name for name, cuped in chosen.items() if not cuped} == {"quantile"}
