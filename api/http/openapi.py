"""OpenAPI operations of calls that FastAPI does not route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARED = {
    "400": "The body can't be read",
    "401": "The token is missing, unknown, revoked or expired",
    "403": "The token lacks the scope",
    "413": "Too many items or bytes",
    "415": "Neither JSON nor an encoding we read",
    "503": "Not stored, or unknown whether: send it again",
}


def operation(
    *,
    tag: str,
    summary: str,
    description: str,
    content: Mapping[str, Any],
    answer: Mapping[str, Any],
    answers: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An operation object. `answers`: what each status means beside those that every call has."""
    definitions = answer.get("$defs", {})
    success = _inline(answer, definitions)
    responses: dict[str, Any] = {
        status: {"description": text, "content": {"application/problem+json": {"schema": {"type": "object"}}}}
        for status, text in sorted((_SHARED | dict(answers)).items())
    }
    responses["200"]["content"] = {"application/json": {"schema": success}}
    return {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "operationId": summary.lower().replace(" ", "_"),
        "security": [{"HTTPBearer": []}],
        "parameters": [
            {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in (headers or {}).items()
        ],
        "requestBody": {"required": True, "content": dict(content)},
        "responses": responses,
    }


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with its references replaced by what they name."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if reference is not None:
            return _inline(definitions[reference.rpartition("/")[2]], definitions)
        return {key: _inline(value, definitions) for key, value in schema.items() if key != "$defs"}
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    return schema
