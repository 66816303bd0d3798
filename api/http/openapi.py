"""The OpenAPI document: what FastAPI knows of the calls, completed with what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from api.http import glossary
from api.http.problem_document import ProblemOut
from api.http.problems import CONTENT_TYPE

_OF_ALL = {"400": "The request can't be read", "503": "A store can't be reached: send it again"}
_OF_CALLERS = {
    "401": "Without a valid token or session",
    "403": "The token lacks the scope, or is of another web origin; or the session's X-CSRF-Token is missing",
    "429": "Too many requests: wait as Retry-After says",
}
_OF_CHANGES = {"409": "The state of things does not allow it", "422": "A field breaks a rule"}
_OF_BODIES = {"413": "Too many items or bytes", "415": "Neither JSON nor an encoding we read"}
_OF_PATHS = {"404": "There is no such thing", "422": "A parameter breaks a rule"}
_OF_CONDITIONS = {"412": "It was changed since the ETag in If-Match", "428": "If-Match is missing"}
_TAGS = {
    "experiments": "What is tested: drafts, their life cycle, their versions.",
    "layers": "Mutually exclusive experiments share one.",
    "holdouts": "Shares of the traffic that see no experiment.",
    "metrics": "What is measured, as data with versions.",
    "assignments": "Which variant a unit gets.",
    "events": "What units do.",
    "looks": "What each look at an experiment under its plan found, kept for good.",
    "results": "What an experiment found.",
    "users": "What is known of people, and how they are erased.",
    "erasures": "Receipts of erasures.",
    "access": "Tokens, sessions and the audit log.",
    "health": "Whether the API works.",
    "start": "Where to go from here.",
}
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to repeat the request for 24 hours: it is answered as the first time",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}
_METHODS = frozenset({"get", "put", "post", "patch", "delete"})


def describe(app: FastAPI, operations: Mapping[str, Mapping[str, Any]]) -> None:
    """Complete the app's document; `operations` are the POST calls by path that FastAPI does not route."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generated()
            for path, operation in operations.items():
                document["paths"].setdefault(path, {})["post"] = operation
            _complete(document)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def operation(
    *,
    tag: str,
    scope: str,
    summary: str,
    description: str,
    content: Mapping[str, Any],
    answer: Mapping[str, Any],
    answers: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An operation object of a call that FastAPI does not route. `answers`: what each status means.

    A batch of which nothing is kept is a 422 with the answer on each item.
    """
    success = _inline(answer, answer.get("$defs", {}))
    told = {"422": "Every item was rejected"} | dict(answers)
    responses: dict[str, Any] = {status: _refusal(text) for status, text in told.items()}
    responses["200"]["content"] = {"application/json": {"schema": success}}
    responses["422"]["content"]["application/json"] = {"schema": success}
    return {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "operationId": summary.lower().replace(" ", "_"),
        "security": [{"HTTPBearer": [scope]}],
        "parameters": [
            {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in (headers or {}).items()
        ],
        "requestBody": {"required": True, "content": dict(content)},
        "responses": responses,
    }


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ProblemOut"] = ProblemOut.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    used: dict[str, None] = {}
    for path, method, operation in _operations(document):
        used |= dict.fromkeys(operation.get("tags", ()))
        if method == "post" and operation.get("security") and not _parameter(operation, "idempotency-key"):
            operation.setdefault("parameters", []).append(_KEY_PARAMETER)
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        for status, text in _refusals(path, method, operation).items():
            responses.setdefault(status, _refusal(text))
        operation["responses"] = dict(sorted(responses.items()))
        for parameter in operation.get("parameters", ()):
            _tell(parameter, glossary.PARAMETERS.get(parameter["name"]))
    for owner, schema in named_schemas(document):
        _tell(schema, glossary.SCHEMAS.get(owner))
        for name, field in schema["properties"].items():
            _tell(field, glossary.FIELDS.get(f"{owner}.{name}") or glossary.FIELDS.get(name))
    document["tags"] = [{"name": tag, "description": _TAGS.get(tag, "")} for tag in used]


def named_schemas(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object schema with properties, wherever it stands, with its name: those inside one have the one's."""
    for name, schema in document["components"]["schemas"].items():
        yield from _objects(schema, name)
    for path, method, operation in _operations(document):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in part.get("content", {}).values():
                yield from _objects(content.get("schema"), f"{method} {path}")


def _objects(schema: Any, owner: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        owner = schema.get("title", owner)
        yield owner, schema
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner += schema.get(name, [])
    for part in inner:
        yield from _objects(part, owner)


def _tell(described: dict[str, Any], text: str | None) -> None:
    if text is not None and not described.get("description"):
        described["description"] = text


def _refusals(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, str]:
    """The problems that a call of this shape can be answered with."""
    found = dict(_OF_ALL)
    if operation.get("security") or path.startswith("/v1/session"):
        found |= _OF_CALLERS
    if method != "get":
        found |= _OF_CHANGES
    if "requestBody" in operation:
        found |= _OF_BODIES
    if operation.get("parameters"):
        found |= _OF_PATHS
    if _parameter(operation, "if-match"):
        found |= _OF_CONDITIONS
    return found


def _refusal(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
    }


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS & item.keys():
            yield path, method, item[method]


def _parameter(operation: Mapping[str, Any], name: str) -> bool:
    return any(parameter.get("name", "").lower() == name for parameter in operation.get("parameters", ()))


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
