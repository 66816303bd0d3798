"""Every text field of every request refuses what separates rows, and of every message is one row of the outbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from api.links.schemas import LinkIn
from api.postgres.copying import outbox_lines
from neonblue.contract import messages
from neonblue.contract.codes import Code
from neonblue.contract.decoding import ItemDecoder
from neonblue.contract.messages import encode_message
from neonblue.contract.outbox import Aggregate, Happening, OutboxRow
from neonblue.contract.requests import AssignmentRequest, EventRequest, Key
from neonblue.contract.violation import Violation
from tests.unit.api.test_copying import NASTY, read


class GrownRequest(EventRequest):
    """A request with one more field, of which nothing but this line tells."""

    new_text: Key | None = None


REQUESTS: tuple[type[Struct], ...] = (EventRequest, AssignmentRequest, GrownRequest)
MESSAGES = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type) and issubclass(kind, Struct) and "received_at" in kind.__struct_fields__
]
CONTROL = ("a\tb", "a\nb", "a\rb", "\x01", "\x1f", "\x00")


def texts_of(struct: type[Struct]) -> list[str]:
    """The fields whose type holds a text, as msgspec sees them."""
    found = msgspec.inspect.type_info(struct)
    assert isinstance(found, msgspec.inspect.StructType)
    return [
        field.encode_name
        for field in found.fields
        if any(isinstance(kind, msgspec.inspect.StrType) for kind in _kinds(field.type))
    ]


def _kinds(kind: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    yield from kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


@pytest.mark.parametrize(
    ("request_type", "field"), [(request, field) for request in REQUESTS for field in texts_of(request)]
)
@pytest.mark.parametrize("text", CONTROL)
@pytest.mark.parametrize("many", [False, True])
def test_a_text_of_a_request_holds_no_control_character(
    request_type: type[Struct], field: str, text: str, many: bool
) -> None:
    item = (
        {"user_id": "u"} | ({} if request_type is AssignmentRequest else {"event_type": "v"}) | {field: text}
    )
    body = json.dumps([item, item] if many else item).encode()

    for found in ItemDecoder(request_type).decode(body).items:
        assert isinstance(found, Violation)
        expected = Code.NUL_CHARACTER if text == "\x00" else Code.CONTROL_CHARACTER
        assert (found.code, found.field) == (expected, field)
    assert ItemDecoder(request_type).decode_plain(body) is None


@pytest.mark.parametrize(
    ("request_type", "field"),
    [(request, field) for request in REQUESTS for field in texts_of(request) if field != "id"],
)
def test_a_text_of_a_request_is_never_empty(request_type: type[Struct], field: str) -> None:
    item = {"user_id": "u"} | ({} if request_type is AssignmentRequest else {"event_type": "v"}) | {field: ""}
    (found,) = ItemDecoder(request_type).decode(json.dumps(item).encode()).items
    assert isinstance(found, Violation)
    assert (found.code, found.field) == (Code.TOO_SHORT, field)


@pytest.mark.parametrize(
    ("model", "field"),
    [(LinkIn, field) for field, info in LinkIn.model_fields.items() if "str" in str(info.annotation)],
)
@pytest.mark.parametrize("text", CONTROL)
def test_a_text_of_a_link_holds_no_control_character(model: type[BaseModel], field: str, text: str) -> None:
    whole = {"anonymous_id": "a", "user_id": "u"}
    model.model_validate(whole)
    with pytest.raises(ValidationError) as refused:
        model.model_validate(whole | {field: text})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def filled(kind: msgspec.inspect.Type, text: str) -> Any:
    """A value of this type with the text in every place that takes one."""
    options = [option for option in _kinds(kind) if not isinstance(option, msgspec.inspect.NoneType)]
    match options[0]:
        case msgspec.inspect.StrType():
            return text
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.AnyType():
            return {text: [text]}
        case msgspec.inspect.ListType(item_type=inner):
            return [filled(inner, text)]
        case msgspec.inspect.DictType():
            return {text: text}
        case msgspec.inspect.StructType(cls=struct, fields=fields):
            return struct(**{field.name: filled(field.type, text) for field in fields})
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("message_type", MESSAGES)
@pytest.mark.parametrize("text", NASTY)
def test_whatever_its_texts_hold_a_message_is_one_row_of_the_outbox(
    message_type: type[Struct], text: str
) -> None:
    message = filled(msgspec.inspect.type_info(message_type), text)
    told = msgspec.to_builtins(message)
    row = OutboxRow(Aggregate.EVENT, text, Happening.EVENT_CREATED, encode_message(message))

    ((aggregate, identifier, happening, payload),) = read(outbox_lines([row]))

    assert (aggregate, identifier, happening) == ("event", text, "EVENT_CREATED")
    assert json.loads(payload or "") == told


def test_every_message_is_looked_at() -> None:
    assert {kind.__name__ for kind in MESSAGES} == {
        "EventMessage", "AssignmentMessage", "ExperimentMessage", "LinkMessage", "ErasureMessage",
    }  # fmt: skip
