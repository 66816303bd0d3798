"""What the rows of a file are: units, a unit's several rows, totals; alike in `analyze` and `import`."""

from __future__ import annotations

from pathlib import Path

import pytest

from neonblue.tables.report import FileReport
from neonblue.tables.roles import Options
from tests.unit.cli.verdicts import of_analysis, of_import


def test_the_columns_that_were_taken_are_named_and_repeated_rows_told(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "user_id,variant,spend\n" + "a,control,5\nb,treatment,7\nb,treatment,7\nc,control,1\nc,control,2\n"
    )

    for read in (of_analysis(path, Options()), of_import(path, Options())):
        assert isinstance(read, FileReport)
        assert "units by 'user_id', arms by 'variant'" in read.notes
        assert "5 rows are 3 units: the values of a unit's rows are added up" in read.notes
        assert any(note.startswith("1 rows say in every cell what an earlier row") for note in read.notes)


def test_totals_per_day_are_no_units(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    days = "".join(f"2025-07-{d:02},{arm},{100 + d}\n" for d in range(1, 9) for arm in ("control", "b"))
    path.write_text("date,group,clicks\n" + days)

    for read in (of_analysis(path, Options()), of_import(path, Options())):
        assert isinstance(read, str)
        assert "these are totals per day" in read


@pytest.mark.parametrize(
    ("value", "refused"), [("4.1e-07", True), ("0.0000041", True), ("0.00041", False), ("1e-17", False)]
)
def test_a_value_that_six_decimals_would_change_is_not_imported(
    tmp_path: Path, value: str, refused: bool
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "user_id,variant,spend\n"
        + "".join(f"u{n},{'ab'[n % 2]},{value if n % 3 else 1}\n" for n in range(40))
    )

    read = of_import(path, Options(control="a"))
    assert (isinstance(read, str) and "values have six decimals" in read) == refused
    assert isinstance(of_analysis(path, Options(control="a")), FileReport)


def test_the_order_of_rows_does_not_say_what_a_column_is(tmp_path: Path) -> None:
    points = [*range(30_000), 7]  # all but two differ
    found = []
    for order in (points, points[::-1], [*points[15_000:], *points[:15_000]]):
        path = tmp_path / "data.csv"
        rows = "".join(
            f"u{n},{('control', 'b')[n % 2]},{n % 3 // 2},{point}\n" for n, point in enumerate(order)
        )
        path.write_text("user_id,variant,converted,points\n" + rows)
        read = of_analysis(path, Options())
        assert isinstance(read, FileReport)
        found.append([column.read_as for column in read.columns])

    assert found == [["unit", "arm", "truth values", "numbers"]] * 3
