"""What the client sends and reads is what the API describes, field by field."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import httpx
import msgspec
import pytest
from msgspec.structs import FieldInfo, fields

from api.app import create_app
from api.http.openapi import named_schemas
from neonblue.client import build, messages
from neonblue.contract.answers import EventItem
from neonblue.contract.messages import MetricMessage

Json = dict[str, Any]

SENT = {
    "NewEvent": ("EventRequest",),
    "NewAssignment": ("AssignmentRequest",),
    "Variant": ("VariantIn",),
    "Denominator": ("Denominator",),
    "Metric": ("InlineMetric",),
    "MetricReference": ("MetricReference",),
    "Layer": ("LayerIn",),
    "Decision": ("DecisionIn", "ConclusionIn"),
    "ReleaseStep": ("ReleaseStepIn",),
    "NewReleaseRamp": ("ReleaseRampIn",),
    "NewRelease": ("ReleaseIn",),
    "RampStep": ("RampStepIn",),
    "ReleaseAtEnd": ("ReleaseAtEndIn",),
    "NewRamp": ("RampIn",),
    "NewExperiment": ("ExperimentIn",),
}
READ = {
    "EventItem": ("EventItem",),
    "EventReceipt": ("EventsAnswer",),
    "Assignment": ("AssignmentAnswer",),
    "Assignments": ("AssignmentsAnswer",),
    "Variant": ("VariantOut",),
    "Denominator": ("DenominatorOut",),
    "Metric": ("MetricOut",),
    "WatchedMetric": ("WatchedOut",),
    "LayerSlots": ("ExperimentOut.layer",),
    "RecordedDecision": ("DecisionOut",),
    "ReleaseStep": ("ReleaseStepOut",),
    "ReleaseRamp": ("ReleaseRampOut",),
    "Release": ("ReleaseOut",),
    "RampStep": ("RampStepOut",),
    "ReleaseAtEnd": ("ReleaseAtEndOut",),
    "Ramp": ("RampOut",),
    "ExperimentWarning": ("WarningOut",),
    "Experiment": ("ExperimentOut", "ExperimentAnswer"),
    "ExperimentVersion": ("VersionOut",),
    "EvaluationCount": ("CountOut",),
    "EvaluationHour": ("HourOut",),
    "Evaluations": ("EvaluationsOut",),
    "Token": ("TokenOut", "NewToken"),
}
"""The client's messages by the API's. One that stands for several holds the fields of all."""

PAIRS = [
    pytest.param(name, owners, sent, id=f"{name} {'sent' if sent else 'read'}")
    for table, sent in ((SENT, True), (READ, False))
    for name, owners in table.items()
]


@pytest.fixture(scope="module")
def described() -> dict[str, Json]:
    """Every object of the API's own description, by name, and by the field that holds it."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get("/openapi.json")

    document: Json = asyncio.run(get()).json()
    components = document["components"]["schemas"]
    found = dict(named_schemas(document))
    for name, owner in list(found.items()):
        found |= {
            f"{name}.{field}": components[one["$ref"].rpartition("/")[2]]
            for field, schema in owner["properties"].items()
            for one in (schema, *schema.get("anyOf", ()))
            if "$ref" in one
        }
    return {name: _inlined(schema, components) for name, schema in found.items()}


def _inlined(schema: Any, components: Json) -> Any:
    """The schema with the kind of what it refers to in place of the reference."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            target = components[schema["$ref"].rpartition("/")[2]]
            return {key: target[key] for key in ("type", "enum") if key in target}
        return {key: _inlined(value, components) for key, value in schema.items()}
    return [_inlined(one, components) for one in schema] if isinstance(schema, list) else schema


def message(name: str) -> Any:
    return EventItem if name == "EventItem" else getattr(messages, name)


def the_clients() -> Iterator[str]:
    for name, found in vars(messages).items():
        if (
            isinstance(found, type)
            and issubclass(found, msgspec.Struct)
            and found.__module__ == messages.__name__
        ):
            yield name


def kinds(schema: Json) -> set[str]:
    """The kinds of JSON that a schema allows."""
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return set().union(*(kinds(one) for one in schema[name]))
    if "enum" in schema or "const" in schema:
        return {_KINDS[type(one)] for one in schema.get("enum", [schema.get("const")])}
    named = schema.get("type", EVERY)
    return {named} if isinstance(named, str) else set(named)


EVERY = ["string", "number", "integer", "boolean", "null", "array", "object"]
_KINDS: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


def kinds_of(hint: Any) -> set[str]:
    """The kinds of JSON that a field of the client is written as, and read from."""
    origin = get_origin(hint)
    if hint is Any:
        return set(EVERY)
    if origin is Annotated:
        return kinds_of(get_args(hint)[0])
    if origin in (types.UnionType, Union):
        return set().union(*(kinds_of(one) for one in get_args(hint)))
    hint = origin or hint
    if hint in _KINDS:
        return {_KINDS[hint]}
    if issubclass(hint, str | datetime | Decimal | Enum):
        return {"string"}
    return {"object"} if issubclass(hint, msgspec.Struct) else {"array"}


@pytest.mark.parametrize(("name", "owners", "sent"), PAIRS)
def test_the_fields_are_those_of_the_api(
    name: str, owners: tuple[str, ...], sent: bool, described: dict[str, Json]
) -> None:
    theirs = set().union(*(described[owner]["properties"] for owner in owners))

    assert set(message(name).__struct_fields__) == theirs


@pytest.mark.parametrize(("name", "owners", "sent"), PAIRS)
def test_the_types_are_those_of_the_api(
    name: str, owners: tuple[str, ...], sent: bool, described: dict[str, Json]
) -> None:
    hints = {field.name: field.type for field in fields(message(name))}
    for owner in owners:
        for field, schema in described[owner]["properties"].items():
            ours, theirs = kinds_of(hints[field]), kinds(schema)
            given = (
                theirs | {"null"} if sent and field not in described[owner].get("required", ()) else theirs
            )
            assert ours <= given if sent else theirs <= ours, f"{owner}.{field}: {ours}, {theirs}"


@pytest.mark.parametrize(("name", "owners", "sent"), PAIRS)
def test_what_is_left_out_is_what_the_api_takes_it_for(
    name: str, owners: tuple[str, ...], sent: bool, described: dict[str, Json]
) -> None:
    """A default is not sent: the API's own must be the same. What it always answers may be asked for, no more."""
    ours = {field.name: field for field in fields(message(name))}
    for owner in owners:
        properties, required = described[owner]["properties"], set(described[owner].get("required", ()))
        if sent:
            assert required <= {field for field, info in ours.items() if info.required}
            for field, schema in properties.items():
                default = _default(ours[field])
                assert default in (None, schema.get("default")), f"{owner}.{field}: {default!r}"
        else:
            assert {field for field, info in ours.items() if info.required} <= required


def _default(field: FieldInfo) -> Any:
    return None if field.default is msgspec.NODEFAULT else field.default


def test_every_message_of_the_client_is_held_to_one_of_the_api() -> None:
    assert set(the_clients()) <= SENT.keys() | READ.keys()


def test_a_metric_has_the_fields_of_the_snapshots() -> None:
    assert messages.Metric.__struct_fields__ == MetricMessage.__struct_fields__


def test_every_field_of_an_event_can_be_given_to_track() -> None:
    given = build.EventFields.__annotations__.keys() | {"user_id", "event_type"}

    assert set(messages.NewEvent.__struct_fields__) == given


def test_what_is_given_to_track_is_sent() -> None:
    given: Any = {name: f"a {name}" for name in build.EventFields.__annotations__}
    given |= {"timestamp": datetime.fromisoformat("2026-03-01T09:30:00Z"), "value": "1.5"}
    sent = msgspec.json.decode(msgspec.json.encode(build.event_of("visit", "ada", **given)))

    assert sent == given | {
        "user_id": "ada",
        "event_type": "visit",
        "timestamp": "2026-03-01T09:30:00Z",
        "value": "1.5",
    }
