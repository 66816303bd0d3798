"""Requests whose query and parameters come as a form: clients send one where the URL would be too long."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import HTTP

from neonblue.stack.clickhouse_server.body import Body
from neonblue.stack.clickhouse_server.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, ClickHouseError

_FORM = "multipart/form-data"
_MAX_FIELDS = 10_000
_MAX_HEAD = 4096


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _FORM


async def read_fields(content_type: str, body: Body) -> dict[str, str]:
    """The form's fields by name, as the URL would give them. Takes the whole body.

    Raises ClickHouseError for what is no form, and for a file in it: external tables are not available.
    """
    boundary = _boundary(content_type)
    content = b"\r\n" + b"".join([piece async for piece in body.pieces()])
    _, *parts = content.split(b"\r\n--" + boundary, _MAX_FIELDS + 1)
    if not parts or not parts[-1].startswith(b"--"):
        raise _bad(f"The body is no {_FORM} with at most {_MAX_FIELDS} fields")
    return dict(_field(part) for part in parts[:-1])


def _boundary(content_type: str) -> bytes:
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if not boundary or len(boundary) > 200:
        raise _bad("The form's Content-Type names no boundary")
    return boundary.encode("latin-1", "replace")


def _field(part: bytes) -> tuple[str, str]:
    """The part's name and content; it begins with the rest of the boundary's line."""
    text, found, content = part.partition(b"\r\n\r\n")
    if not found or len(text) > _MAX_HEAD:
        raise _bad("A part of the form has no head")
    head = BytesHeaderParser(policy=HTTP).parsebytes(text.partition(b"\r\n")[2] + b"\r\n\r\n")
    name = head.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise _bad("A part of the form has no name")
    if head.get_filename() is not None:
        message = f"{name}: external tables are not available"
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message, 400)
    return name, content.decode("utf-8", "surrogateescape")


def _bad(message: str) -> ClickHouseError:
    return ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", message, 400)
