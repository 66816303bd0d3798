"""A Parquet file as the CSV that the reader of data files reads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neonblue.tables.errors import FileError

MAGIC = b"PAR1"
_ROWS_AT_ONCE = 65_536


def as_csv(path: Path, name: str) -> tempfile._TemporaryFileWrapper[bytes]:
    """A temporary CSV of the file's rows: nothing recorded is a blank cell, times are in ISO 8601.

    name: as the caller called it. Raises FileError for what is no Parquet file, for columns of lists, records, bytes or
    UUIDs, and where the library that reads it is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import csv, parquet
    except ModuleNotFoundError:
        raise FileError(
            f"{name}: is a Parquet file, which needs pyarrow: install it, or write the file as CSV"
        ) from None
    spool = tempfile.NamedTemporaryFile(prefix="neonblue-", suffix=".csv")  # noqa: SIM115 - lives as long as its Source
    try:
        with parquet.ParquetFile(path) as file:
            schema = _plain_schema(pa, file.schema_arrow, name)
            with csv.CSVWriter(spool, schema) as writer:
                for batch in _batches(pa, file, schema):
                    writer.write_batch(batch)
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{name}: can't be read as Parquet ({error})") from None
    spool.flush()
    return spool


def _batches(pa: Any, file: Any, schema: Any) -> Iterator[Any]:
    for batch in file.iter_batches(_ROWS_AT_ONCE):
        yield pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)],
            schema=schema,
        )


def _plain_schema(pa: Any, schema: Any, name: str) -> Any:
    """Types that CSV can hold: decimals and repeated values as texts, others as they are."""
    fields = []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        bytes_of = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
        known = not isinstance(kind, pa.BaseExtensionType)
        if not known or pa.types.is_nested(kind) or any(is_kind(kind) for is_kind in bytes_of):
            raise FileError(
                f"{name}: column {field.name!r} holds {field.type}: a table of numbers and texts is read"
            )
        as_text = pa.types.is_decimal(kind) or pa.types.is_string_view(kind)
        fields.append(pa.field(field.name, pa.string() if as_text else kind))
    return pa.schema(fields)
