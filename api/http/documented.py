"""What the OpenAPI document says of every endpoint that FastAPI routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from api.audit import Actor
from api.http.dependencies import require
from api.http.problems import CONTENT_TYPE
from api.http.security import Scope

Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Editor = Annotated[Actor, Depends(require(Scope.EDITOR))]

_ALWAYS = (400, 401, 403, 413, 415, 422, 503)


class ProblemOut(BaseModel):
    """RFC 9457 problem details; `code` never changes its meaning."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:neonblue:problem:control_count",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "exactly one variant is the control, not 0",
                    "code": "control_count",
                    "field": "variants",
                    "errors": [
                        {
                            "field": "variants",
                            "code": "control_count",
                            "message": "exactly one variant is the control, not 0",
                        }
                    ],
                    "request_id": "0195f0a2-7c1e-7a11-9c3b-0d6a3f1f5c11",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    errors: list[dict[str, str | None]] | None = Field(
        default=None, description="Each broken rule: field, code, message"
    )
    request_id: str


def add_problem(document: dict[str, Any]) -> None:
    """Name the problem's schema where `problems` refers to it."""
    document["components"]["schemas"]["ProblemOut"] = ProblemOut.model_json_schema()


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a call can end with: those named, and those that every call has."""
    schema = {"$ref": "#/components/schemas/ProblemOut"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {CONTENT_TYPE: {"schema": schema}},
        }
        for status in sorted({*_ALWAYS, *statuses})
    }
