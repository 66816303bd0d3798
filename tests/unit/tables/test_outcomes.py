"""Which columns are metrics where none was named, and which decide."""

from __future__ import annotations

import pytest

from neonblue.tables.errors import FileError
from neonblue.tables.reading import Sheet
from neonblue.tables.roles import Options
from tests.unit.tables.conftest import Write


def table(columns: dict[str, list[object]], rows: int = 40) -> str:
    """Columns repeated to so many rows, with a unit and an arm."""
    lines = [",".join(["user_id", "variant", *columns])]
    for i in range(rows):
        cells = [str(values[i % len(values)]) for values in columns.values()]
        lines.append(",".join([f"u{i}", "ab"[i % 2], *cells]))
    return "\n".join(lines) + "\n"


def decisions(write: Write, text: str, **options: object) -> dict[str, bool]:
    sheet = Sheet.open(write(text), Options(**options))  # type: ignore[arg-type]
    return {outcome.name: outcome.decides for outcome in sheet.outcomes()}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"score": [1, 2]}, {"score": True}),
        ({"converted": [0, 1], "postcode": [10_001, 90_002]}, {"converted": True}),
        ({"converted": [0, 1], "minutes": [3, 5]}, {"converted": True, "minutes": False}),
        ({"total ads": [3, 5], "converted": ["True", "False"]}, {"total ads": False, "converted": True}),
        ({"revenue": [3, 5], "converted": [0, 1]}, {"revenue": True, "converted": True}),
        ({"won": [0, 1], "minutes": [3, 5]}, {"won": True, "minutes": False}),
        ({"minutes": [3, 5], "pages": [1, 2]}, {"minutes": False, "pages": False}),
        ({"won": [0, 1], "serial": list(range(100, 140))}, {"won": True}),
        ({"won": [0, 1], "house": ["0012", "0340"]}, {"won": True}),
        ({"won": [0, 1], "age": [20, 30], "order id": [7, 8], "birth year": [1990, 1991]}, {"won": True}),
        ({"won": [0, 1], "city": ["Bonn", "Köln"]}, {"won": True}),
        ({"won": [0, 1], "": [1, 2], "Unnamed: 0": [1, 2]}, {"won": True}),
    ],
)
def test_what_is_an_outcome_decides_and_what_describes_the_unit_is_passed_over(
    write: Write, columns: dict[str, list[object]], expected: dict[str, bool]
) -> None:
    assert decisions(write, table(columns)) == expected


def test_a_column_of_times_is_no_metric_whether_or_not_it_is_read(write: Write) -> None:
    sheet = Sheet.open(write(table({"won": [0, 1], "timestamp": [1751371200, 1751371201]})), Options())

    assert [outcome.name for outcome in sheet.outcomes()] == ["won"]


def test_a_column_can_be_passed_over_as_asked(write: Write) -> None:
    assert decisions(write, table({"won": [0, 1], "minutes": [3, "x"]}), ignore=("Minutes",)) == {"won": True}


def test_a_file_without_any_outcome_asks_for_one(write: Write) -> None:
    sheet = Sheet.open(write(table({"city": ["Bonn", "Köln"]})), Options())

    with pytest.raises(FileError, match="--metric: no column holds numbers or truth values"):
        sheet.outcomes()


def test_an_outcome_that_is_mostly_words_is_not_passed_over(write: Write) -> None:
    found = decisions(write, table({"won": [0, 1], "revenue": ["pending", "pending", 5]}))

    assert found == {"won": False, "revenue": True}
