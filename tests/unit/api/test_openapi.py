"""The OpenAPI document says of every call, parameter and field what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.http import glossary
from api.http.openapi import named_schemas

Document = dict[str, Any]
METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> Document:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get("/openapi.json")

    answer: Document = asyncio.run(get()).json()
    return answer


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method} {path}", item[method]


def test_every_call_has_a_summary_and_a_description(document: Document) -> None:
    untold = [call for call, found in operations(document) if not (found["summary"] and found["description"])]
    assert untold == []


def test_every_parameter_has_a_description(document: Document) -> None:
    untold = [
        f"{call}: {parameter['name']}"
        for call, found in operations(document)
        for parameter in found.get("parameters", [])
        if not parameter.get("description")
    ]
    assert untold == []


def test_every_field_of_every_schema_has_a_description(document: Document) -> None:
    """A new field's stands beside it, or in `api/http/glossary.py` where several schemas have it."""
    untold = [
        f"{owner}.{name}"
        for owner, schema in named_schemas(document)
        for name, field in schema["properties"].items()
        if not field.get("description")
    ]
    assert untold == []


def test_every_schema_has_a_description(document: Document) -> None:
    schemas = document["components"]["schemas"]
    objects = {name for name, schema in schemas.items() if "properties" in schema}
    assert len(objects) > 50
    assert [name for name in sorted(objects) if not schemas[name].get("description")] == []


@pytest.mark.parametrize(
    ("schema", "field", "told"),
    [
        ("ExperimentIn", "allocation", "10000 are 100 %"),
        ("ExperimentOut", "allocation", "basis points"),
        ("LayerIn", "share", "basis points"),
        ("HoldoutNew", "share", "basis points"),
        ("VariantIn", "weight", "75 %"),
        ("InlineMetric", "window_seconds", "in seconds"),
    ],
)
def test_a_number_says_its_unit(document: Document, schema: str, field: str, told: str) -> None:
    assert told in document["components"]["schemas"][schema]["properties"][field]["description"].lower()


def test_every_word_of_the_glossary_is_used(document: Document) -> None:
    used = {
        text
        for _, schema in named_schemas(document)
        for field in schema["properties"].values()
        if (text := field.get("description"))
    }
    parameters = {
        parameter["name"] for _, found in operations(document) for parameter in found.get("parameters", [])
    }
    assert [name for name, text in glossary.FIELDS.items() if text not in used] == []
    assert sorted(glossary.PARAMETERS.keys() - parameters) == []
