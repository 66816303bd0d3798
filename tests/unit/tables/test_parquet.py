"""A Parquet file is read as the CSV of its rows would be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from neonblue.cli.analyze_data import Options, read_experiment
from neonblue.tables.errors import FileError
from neonblue.tables.reading import Sheet, read_rows
from neonblue.tables.roles import Options as FileOptions
from neonblue.tables.source import Source

START = datetime(2025, 7, 1, tzinfo=UTC)
COUNT = 400


@pytest.fixture
def columns() -> dict[str, pa.Array]:
    numbers = range(COUNT)
    return {
        "user_id": pa.array(list(numbers), pa.int64()),
        "variant": pa.array([("control", "treatment")[n % 2] for n in numbers]).dictionary_encode(),
        "exposed_at": pa.array([START + timedelta(minutes=n) for n in numbers], pa.timestamp("us", "UTC")),
        "converted": pa.array([n % 3 == 0 for n in numbers]),
        "spend": pa.array([None if n % 40 == 7 else Decimal(n) / 4 for n in numbers], pa.decimal128(10, 2)),
        "note": pa.array([f'says "{n}", and more' for n in numbers]),
    }


def written(folder: Path, columns: dict[str, pa.Array]) -> Path:
    path = folder / "data.parquet"
    parquet.write_table(pa.table(columns), path, row_group_size=100)
    return path


def test_its_rows_are_those_of_the_table(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    path = written(tmp_path, columns)
    sheet = Sheet.open(path, FileOptions())
    spend = sheet.value_column(sheet.table.index("spend", "--metric"))
    found = []
    reading = read_rows(sheet, [spend], found.append)

    assert sheet.table.source.short_name == "data.parquet"
    assert reading.scan.arms == {"control": 200, "treatment": 200}
    assert [row.values[0] for row in found] == columns["spend"].to_pylist()
    assert [row.time for row in found] == columns["exposed_at"].to_pylist()


def test_it_is_analysed_as_its_csv(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    data = read_experiment(
        written(tmp_path, columns), Options(FileOptions(control="control", metrics=("converted",)))
    )

    assert data.experiment.moments["converted", "control"].sum == sum(columns["converted"].to_pylist()[::2])


@pytest.mark.parametrize(
    "odd",
    [
        pa.array([[1]] * COUNT),
        pa.array([b"\x00"] * COUNT),
        pa.array([b"abcd"] * COUNT, pa.binary(4)),
        pa.array([bytes(16)] * COUNT, pa.uuid()),
    ],
)
def test_a_column_that_is_no_cell_is_refused(
    tmp_path: Path, columns: dict[str, pa.Array], odd: pa.Array
) -> None:
    with pytest.raises(FileError, match=r"data\.parquet: column 'odd' holds"):
        Source.open(written(tmp_path, columns | {"odd": odd}))
