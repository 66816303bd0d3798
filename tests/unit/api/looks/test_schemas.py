"""A look over HTTP has the fields of the message, and says the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from api.looks.schemas import CellIn, CellOut, LookIn, LookOut
from neonblue.contract.looks import LookCell, LookMessage

EXAMPLE: dict[str, Any] = LookIn.model_json_schema()["examples"][0]
BAD: dict[str, Any] = {
    "metric_key": "", "metric_version": 0, "variant_key": "a\x00", "n_control": -1, "n_variant": "5",
    "information": float("nan"), "share": -0.1, "spent": 1.1, "z": float("inf"), "p_value": -0.01, "log10_p": 0.1,
    "adjusted_p": 2, "difference": "0.1", "lower": float("-inf"), "upper": True, "relative_lower": float("nan"),
    "relative_upper": float("inf"), "level": 1, "rejected": 1, "rejected_at": 5, "guardrail": "fine",
    "guardrail_bound": float("inf"), "guardrail_p": 1.5,
}  # fmt: skip


def test_both_sides_of_the_api_have_the_fields_of_the_message() -> None:
    cell = {field.name for field in msgspec.structs.fields(LookCell)}
    look = {field.name for field in msgspec.structs.fields(LookMessage)}
    assert CellIn.model_fields.keys() == CellOut.model_fields.keys() == cell
    assert LookIn.model_fields.keys() == look - {"experiment", "taken_at"}
    assert LookOut.model_fields.keys() == look


def test_what_is_written_is_what_is_kept() -> None:
    kept = LookIn.model_validate(EXAMPLE).message("checkout")
    assert msgspec.to_builtins(kept) == EXAMPLE | {"experiment": "checkout", "taken_at": None}


@pytest.mark.parametrize("field", BAD)
def test_a_number_out_of_range_or_of_another_type_names_its_field(field: str) -> None:
    cell = EXAMPLE["cells"][0] | {field: BAD[field]}
    with pytest.raises(ValidationError) as error:
        LookIn.model_validate(EXAMPLE | {"cells": [cell]})
    assert [item["loc"][:3] for item in error.value.errors()] == [("cells", 0, field)]


def test_every_field_of_a_cell_is_tried() -> None:
    assert BAD.keys() == CellIn.model_fields.keys()
