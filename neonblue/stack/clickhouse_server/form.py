"""Requests whose query and parameters come as a form: clients send one where the URL would be too long."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from neonblue.stack.clickhouse_server.body import Body
from neonblue.stack.clickhouse_server.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, ClickHouseError

_FORM = "multipart/form-data"


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _FORM


async def read_fields(content_type: str, body: Body) -> dict[str, str]:
    """The form's fields by name, as the URL would give them. Takes the whole body.

    Raises ClickHouseError for what is no form, and for a file in it: external tables are not available.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    form = BytesParser(policy=HTTP).parsebytes(head + b"".join([piece async for piece in body.pieces()]))
    parts = form.get_payload()
    if not isinstance(parts, list):
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The body is no {_FORM}", 400)
    return dict(_field(part) for part in parts if isinstance(part, Message))


def _field(part: Message) -> tuple[str, str]:
    name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(content, bytes):
        raise ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", "A part of the form has no name", 400)
    if part.get_filename() is not None:
        message = f"{name}: external tables are not available"
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message, 400)
    return name, content.decode("utf-8", "surrogateescape")
