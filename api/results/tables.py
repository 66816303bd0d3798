"""Rows as CSV, Parquet or Arrow, by the request's Accept header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from enum import StrEnum
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from fastapi import Response

from api.http.problems import Problem
from neonblue.analysis.instants import utc_text

if TYPE_CHECKING:
    import pyarrow as pa


class Format(StrEnum):
    """What an answer can be written as; the values are the media types."""

    JSON = "application/json"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"
    ARROW = "application/vnd.apache.arrow.stream"


_WILD = {"*/*": Format.JSON, "application/*": Format.JSON, "text/*": Format.CSV}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            form.value: {"schema": {"type": "string", "format": "binary"}}
            for form in Format
            if form is not Format.JSON
        }
    }
}


def wanted(accept: str | None) -> Format:
    """The format with the highest weight that can be written; JSON where nothing is asked.

    Raises Problem `not_acceptable`.
    """
    if not accept or not accept.strip():
        return Format.JSON
    choices = []
    for place, part in enumerate(accept.split(",")):
        name, *parameters = (piece.strip() for piece in part.lower().split(";"))
        weight = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        form = _WILD.get(name) or next((form for form in Format if form.value == name), None)
        if form is not None and weight > 0:
            choices.append((-weight, place, form))
    if not choices:
        raise Problem(406, "not_acceptable", f"Accept one of {', '.join(Format)}", field="accept")
    return min(choices)[2]


def table(form: Format, kind: type[Any], items: Sequence[Any], stamp: dict[str, Any], name: str) -> Response:
    """The items with the stamp's columns on every row. kind: the dataclass of the items; name: of the file."""
    columns = {field.name: hint for field in fields(kind) for hint in [get_type_hints(kind)[field.name]]}
    stamped = columns | {
        "computed_at": datetime,
        "watermark": datetime | None,
        "configuration_version": int | None,
        "code_version": str,
    }
    rows = [asdict(item) | stamp for item in items]
    extension = {Format.CSV: "csv", Format.PARQUET: "parquet", Format.ARROW: "arrow"}[form]
    return Response(
        _csv(stamped, rows) if form is Format.CSV else _arrow(form, stamped, rows),
        media_type="text/csv; charset=utf-8; header=present" if form is Format.CSV else form.value,
        headers={"content-disposition": f'attachment; filename="{name}.{extension}"', "vary": "accept"},
    )


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _csv(columns: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return target.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return json.dumps(value, default=str)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    # A spreadsheet would run a text that begins like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _arrow(form: Format, columns: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bytes:
    # Loaded where it is asked for: it is large, and few ask.
    import pyarrow as pa
    import pyarrow.parquet as parquet

    schema = pa.schema([(name, _type(hint)) for name, hint in columns.items()])
    content = pa.Table.from_pylist(list(rows), schema=schema)
    sink = pa.BufferOutputStream()
    if form is Format.PARQUET:
        parquet.write_table(content, sink)
    else:
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(content)
    return bytes(sink.getvalue())


def _type(hint: Any) -> pa.DataType:
    import pyarrow as pa

    if get_origin(hint) in (Union, UnionType):
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is tuple:
        return pa.list_(_type(get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, str):
        return pa.string()
    return {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("us", tz="UTC"),
        date: pa.date32(),
    }[hint]
