"""The OpenAPI operation of `POST /v1/assignments`."""

from __future__ import annotations

from typing import Any

import msgspec

from api.http.openapi import operation
from neonblue.contract.answers import AssignmentAnswer, AssignmentsAnswer
from neonblue.contract.limits import REQUEST_ITEMS
from neonblue.contract.requests import AssignmentRequest

_REQUEST = {"experiment": "checkout-button", "user_id": "user-42", "attributes": {"country": "DE"}}


def _schema() -> dict[str, Any]:
    item = msgspec.json.schema(AssignmentRequest)["$defs"][AssignmentRequest.__name__]
    return {"oneOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": REQUEST_ITEMS}]}


def _answer() -> dict[str, Any]:
    one_or_many, components = msgspec.json.schema_components(
        [AssignmentAnswer, AssignmentsAnswer], ref_template="#/$defs/{name}"
    )
    return {"anyOf": list(one_or_many), "$defs": components}


ASSIGNMENTS_OPERATION = operation(
    tag="assignments",
    scope="assign",
    summary="Assign units to variants",
    description=(
        "The unit's variant: the first one it was given stays. Records the exposure unless `expose` is false. A "
        "unit outside the allocation has a null `variant_key` and the reason `not_in_allocation`. An array is "
        "answered with `items`, each with its `status`."
    ),
    content={
        "application/json": {
            "schema": _schema(),
            "examples": {"one": {"value": _REQUEST}, "many": {"value": [_REQUEST]}},
        }
    },
    answer=_answer(),
    answers={"200": "The variant", "404": "No such experiment", "409": "The experiment is not running"},
)
