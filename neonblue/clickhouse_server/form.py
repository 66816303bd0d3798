"""Requests whose query and parameters come as a form: clients send one where the URL would be too long."""

from __future__ import annotations

import re

from neonblue.clickhouse_server.body import Body
from neonblue.clickhouse_server.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, ClickHouseError

_FORM = "multipart/form-data"
_MAX_FIELDS = 10_000
_MAX_HEAD = 4096
# Read in one pass, as clients write them: the standard library's parser of mail takes seconds for some heads.
_DISPOSITION = re.compile(rb"\r\ncontent-disposition[ \t]*:[ \t]*form-data[ \t]*([^\r\n]*)", re.IGNORECASE)
_PARAMETER = re.compile(
    rb';[ \t]*+([A-Za-z0-9*_-]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]++|\\.)*+)"|([^\s;"]++))[ \t]*+'
)
_ESCAPED = re.compile(rb"\\(.)")


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
    _, mark, parameters = content_type.partition(";")
    boundary = _parameters((mark + parameters).strip().encode("latin-1", "replace")).get(b"boundary")
    if not boundary or len(boundary) > 200:
        raise _bad("The form's Content-Type names no boundary")
    return boundary


def _field(part: bytes) -> tuple[str, str]:
    """The part's name and content; it begins with the rest of the boundary's line."""
    head, found, content = part.partition(b"\r\n\r\n")
    if not found or len(head) > _MAX_HEAD:
        raise _bad("A part of the form has no head")
    disposition = _DISPOSITION.search(head)
    parameters = _parameters(disposition[1]) if disposition else {}
    name = parameters.get(b"name", b"").decode("utf-8", "replace")
    if not name:
        raise _bad("A part of the form has no name")
    if b"filename" in parameters or b"filename*" in parameters:
        message = f"{name}: external tables are not available"
        raise ClickHouseError(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message, 400)
    return name, content.decode("utf-8", "surrogateescape")


def _parameters(text: bytes) -> dict[bytes, bytes]:
    """What follows a field's value, ``; name="value"``, by names in small letters; as far as it is well formed."""
    found: dict[bytes, bytes] = {}
    at = 0
    while (one := _PARAMETER.match(text, at)) is not None:
        quoted, bare = one[2], one[3]
        found.setdefault(one[1].lower(), bare if quoted is None else _ESCAPED.sub(rb"\1", quoted))
        at = one.end()
    return found


def _bad(message: str) -> ClickHouseError:
    return ClickHouseError(BAD_ARGUMENTS, "BAD_ARGUMENTS", message, 400)
