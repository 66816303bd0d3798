"""The calibration in short, and the table it writes."""

import pytest

from tests.calibration.measurements import measure
from tests.calibration.table import BEGIN, END, Row, about, at_most, exactly, markdown, within, write


def test_every_error_rate_holds_in_a_short_run():
    rows = list(measure(0.02))

    assert len(rows) > 60
    assert [row for row in rows if not row.holds] == []


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (exactly("size", 0.05, 0.0, 0.056), True),
        (exactly("size", 0.06, 0.0, 0.056), False),
        (about("coverage", 0.95, 0.95, 10_000), True),
        (about("coverage", 0.94, 0.95, 10_000), False),
        (at_most("false positives", 0.0, 0.05, 10_000), True),
        (at_most("false positives", 0.06, 0.05, 10_000), False),
        (within("share", 0.4, 0.3, 0.65, 100), True),
        (within("share", 0.2, 0.3, 0.65, 100), False),
    ],
)
def test_a_row_holds_where_its_result_lies_in_its_range(row, holds):
    assert row.holds is holds


def test_the_table_replaces_the_one_before_and_nothing_else(tmp_path):
    document = tmp_path / "statistics.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rows = [Row("size", "≤ 0.056", 0.06, 0.0, 0.056, "exact")]

    write(rows, document)

    assert document.read_text() == f"before\n{BEGIN}\n{markdown(rows)}\n{END}\nafter\n"
    assert "| size | ≤ 0.056 | 0.0600 | **no** | exact |" in markdown(rows)


def test_a_document_without_the_markers_is_refused(tmp_path):
    document = tmp_path / "statistics.md"
    document.write_text("nothing here\n")

    with pytest.raises(ValueError, match="markers"):
        write([], document)
