"""The OpenAPI operation of `POST /v1/assignments`, and what is told of stored assignments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, Field

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
        "The unit's variant in one experiment, or in every running one of its type where none is named: the first "
        "it was given stays. A key is safe to call before and after: while its experiment is a draft, scheduled, "
        "paused or concluded, the control is answered with the `reason` draft, not_started, paused or concluded; or "
        "the variant that is released, with the reason released, but to those whom a holdout has, targeting leaves out "
        "or its share has not reached. `served_by` says so; nothing of it is stored or an exposure. Archived, it gives "
        "no variant. Records the exposure unless `expose` is false; without an experiment only if it is "
        "true. A unit that the experiment leaves out gets the control with `in_experiment` false and the `reason`: "
        "holdout, not_targeted, not_in_layer, not_in_allocation, dropped_arm or enrolment_closed; no variant where the "
        "experiment's `outside` is null. A tester's has the reason `forced` and is not stored. Where `durable` is "
        "false the store is away and nothing is kept: send the exposure with this variant and version until it is "
        "stored. `shown_variant` says what the unit was shown before the call; where it has another one, that stands, "
        "and `neonblue_shown_variants_total` in /metrics counts it. An array, or no experiment, is answered with "
        "`items`, each with its `status` and the `index` of its request."
    ),
    content={
        "application/json": {
            "schema": _schema(),
            "examples": {"one": {"value": _REQUEST}, "many": {"value": [_REQUEST]}},
        }
    },
    answer=_answer(),
    answers={
        "200": "The variant",
        "404": "No such experiment",
        "409": "The import is not running, or has another variant of the unit",
    },
)


class StoredAssignment(BaseModel):
    """`exposed_at` is null until the unit met its variant through this API."""

    experiment: str
    experiment_id: int
    variant_key: str
    version: int = Field(description="Of the configuration it entered under")
    assigned_at: datetime
    exposed_at: datetime | None


class StoredAssignments(BaseModel):
    """All assignments of a unit. `linked_to`: the person, where this is an anonymous id."""

    user_id: str
    unit_type: str
    linked_to: str | None
    items: list[StoredAssignment]
