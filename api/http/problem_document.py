"""What the OpenAPI document says of problems."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
