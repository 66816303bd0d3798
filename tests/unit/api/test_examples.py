"""The OpenAPI document shows an example of every call on experiments and what belongs to them; each is valid."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter

from api.app import create_app
from api.assignments import schemas as assignments
from api.checklist import schemas as checklist
from api.experiments import answers, readiness, schemas
from api.holdouts import schemas as holdouts
from api.layers import schemas as layers
from api.looks import schemas as looks
from api.metric_catalogue import schemas as metrics

TAGS = {"experiments", "layers", "holdouts", "metrics", "looks"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get("/openapi.json")

    answer: dict[str, Any] = asyncio.run(get()).json()
    return answer


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if TAGS.intersection(operation.get("tags", [])):
                yield f"{method} {path}", operation


def _without_example(document: dict[str, Any]) -> Iterator[str]:
    for call, operation in _operations(document):
        parts = {"request": operation.get("requestBody")} | {
            status: answer for status, answer in operation["responses"].items() if status < "204"
        }
        for name, part in parts.items():
            if part is not None and not _has_example(document, part):
                yield f"{call} {name}"


def _has_example(document: dict[str, Any], part: dict[str, Any]) -> bool:
    schema = part["content"]["application/json"]["schema"]
    candidates = [schema, *schema.get("anyOf", [])]
    names = [candidate["$ref"].rpartition("/")[2] for candidate in candidates if "$ref" in candidate]
    return any(document["components"]["schemas"][name].get("examples") for name in names)


def test_every_call_shows_what_is_sent_and_what_is_answered(document: dict[str, Any]) -> None:
    assert list(_without_example(document)) == []
    assert {"patch /v1/experiments/{key}", "post /v1/metrics", "get /v1/layers"} <= dict(
        _operations(document)
    ).keys()


def _models() -> list[type[BaseModel]]:
    found = {
        model
        for module in (answers, schemas, readiness, assignments, checklist, holdouts, layers, looks, metrics)
        for model in vars(module).values()
        if isinstance(model, type)
        and issubclass(model, BaseModel)
        and model.model_config.get("json_schema_extra")
    }
    return sorted(found, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", _models())
def test_every_example_is_valid(model: type[BaseModel]) -> None:
    for example in TypeAdapter(model).json_schema()["examples"]:
        model.model_validate(example)
