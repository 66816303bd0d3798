"""Which format an Accept header asks for, and what CSV may hold."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from api.http.problems import Problem
from api.results.tables import Format, table, wanted

STAMP = {
    "computed_at": datetime(2026, 2, 1, tzinfo=UTC),
    "watermark": None,
    "configuration_version": 3,
    "code_version": "0.1.0",
}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("text/html, */*;q=0.1", Format.JSON),
        ("text/csv", Format.CSV),
        ("Text/CSV; charset=utf-8", Format.CSV),
        ("application/json;q=0.5, text/csv", Format.CSV),
        ("application/vnd.apache.parquet;q=0.9, application/vnd.apache.arrow.stream;q=0.9", Format.PARQUET),
        ("text/csv;q=0, application/json", Format.JSON),
        ("text/csv;q=nonsense, application/json;q=0.1", Format.JSON),
    ],
)
def test_the_format_with_the_highest_weight_is_written(accept: str | None, form: Format) -> None:
    assert wanted(accept) is form


@pytest.mark.parametrize("accept", ["application/pdf", "text/csv;q=0"])
def test_what_can_not_be_written_is_refused(accept: str) -> None:
    with pytest.raises(Problem) as refused:
        wanted(accept)
    assert refused.value.status == 406


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    value: float | None
    path: tuple[str, ...] = ()


def test_a_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    items = [Item("=1+1", -0.5, ("a", "b")), Item("plain", None)]
    rows = list(csv.DictReader(io.StringIO(bytes(table(Format.CSV, Item, items, STAMP, "x").body).decode())))
    assert [row["name"] for row in rows] == ["'=1+1", "plain"]
    assert [row["value"] for row in rows] == ["-0.5", ""]
    assert rows[0]["path"] == '["a", "b"]'
    assert rows[0]["configuration_version"] == "3"


@pytest.mark.parametrize("form", [Format.PARQUET, Format.ARROW])
def test_a_table_without_rows_still_has_its_columns(form: Format) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    body = bytes(table(form, Item, [], STAMP, "x").body)
    found = (
        parquet.read_table(io.BytesIO(body))
        if form is Format.PARQUET
        else pa.ipc.open_stream(body).read_all()
    )
    assert found.num_rows == 0
    assert found.column_names == ["name", "value", "path", *STAMP]
