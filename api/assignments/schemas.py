"""The OpenAPI operation of `POST /v1/assignments`, and what is told of stored assignments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

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


class FirstExposure(BaseModel):
    """When a person first met a variant."""

    variant_key: str
    first_at: datetime = Field(description="When it was first met")


class AnsweredNow(BaseModel):
    """What the key would be answered with now. It is stored nowhere."""

    variant_key: str | None = Field(description="The variant; null: none, and `reason` says why")
    reason: str | None = Field(
        description="Why: assigned, forced, not_targeted, holdout, not_in_layer, not_in_allocation, paused, released, …"
    )
    served_by: str | None = Field(
        description="What gives the variant: experiment, release or control; null where there is none"
    )
    version: int | None = Field(description="The experiment's version that gives the variant")
    payload: Any = Field(default=None, description="What the application reads; null: the variant has none")


class PersonAssignment(BaseModel):
    """One experiment, or what was decided of one, and a person in it. All ids of the person are taken together."""

    experiment: str
    experiment_id: int
    experiment_status: str = Field(description="Where the experiment stands")
    variant_key: str | None = Field(description="The stored variant; null: none is stored")
    version: int | None = Field(description="Of the configuration it entered under; null: none is stored")
    reason: str | None = Field(
        description="Why it has the stored variant: assigned, by the hash; linked, taken over from an anonymous id; "
        "imported, given by another system; null: none is stored"
    )
    assigned_at: datetime | None = Field(description="Since when; null: none is stored")
    exposures: list[FirstExposure] = Field(description="Each variant that it met, in order of time")
    several_variants: bool = Field(
        description="Whether ids of the person have different variants, so that it is left out of the analysis"
    )
    now: AnsweredNow | None = Field(description="What would be answered now; null: nothing, it is not served")


_IN: dict[str, Any] = {
    "experiment": "checkout-2026",
    "experiment_id": 7,
    "experiment_status": "running",
    "variant_key": "short-form",
    "version": 3,
    "reason": "assigned",
    "assigned_at": "2026-03-02T08:12:00Z",
    "exposures": [{"variant_key": "short-form", "first_at": "2026-03-02T08:12:00Z"}],
    "several_variants": False,
    "now": {
        "variant_key": "short-form",
        "reason": "assigned",
        "served_by": "experiment",
        "version": 3,
        "payload": {"fields": 4},
    },
}


class PersonAssignments(BaseModel):
    """Every experiment and release that a person is in. `linked_to`: the person, where this is an anonymous id."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "user-42", "unit_type": "user", "linked_to": None, "items": [_IN]}]
        }
    )

    user_id: str
    unit_type: str
    linked_to: str | None
    items: list[PersonAssignment]
