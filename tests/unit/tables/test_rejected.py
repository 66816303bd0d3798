"""The file of rows that were left out: written over nothing, and read again once it is mended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from neonblue.tables.reading import FileReading, Sheet, read_rows
from neonblue.tables.rejected import write_rejected
from neonblue.tables.roles import Options

SHOP = "user_id,variant,visits\n1,a,5\n2,b,7\n3,a,many\n4,b,9,9\n"


def read(path: Path, **options: object) -> FileReading:
    sheet = Sheet.open(path, Options(skip_bad_rows=True, **options))  # type: ignore[arg-type]
    values = [sheet.value_column(outcome.index) for outcome in sheet.outcomes()]
    return read_rows(sheet, values, lambda _: None, now=datetime(2025, 7, 1, tzinfo=UTC))


def rejected(path: Path, **options: object) -> Path:
    reading = read(path, **options)
    return write_rejected(
        reading.sheet, {row: problem.text for row, problem in reading.scan.problems.items()}
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(SHOP)
    return path


def test_no_file_is_written_over(shop: Path) -> None:
    first, second, mine = (shop.with_name(f"shop.rejected{part}.csv") for part in ("", "-2", "-3"))
    first.write_text("what I mended by hand\n")
    mine.write_text("mine, too\n")

    assert rejected(shop) == second
    shop.write_text(SHOP + "5,b,few\n")
    assert rejected(shop) == shop.with_name("shop.rejected-4.csv")
    assert (first.read_text(), mine.read_text()) == ("what I mended by hand\n", "mine, too\n")


def test_the_same_rows_again_make_no_further_file(shop: Path) -> None:
    assert [rejected(shop), rejected(shop)] == [shop.with_name("shop.rejected.csv")] * 2
    assert sorted(path.name for path in shop.parent.iterdir()) == ["shop.csv", "shop.rejected.csv"]


def test_where_the_folder_is_closed_they_go_to_the_working_folder(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    with shop.open() as file:
        number = file.fileno()
        path = rejected(Path(f"/proc/self/fd/{number}"))

    assert path == here / f"{number}.rejected.csv"


def test_mended_rows_are_read_again(shop: Path) -> None:
    path = rejected(shop)
    path.write_text(path.read_text().replace("many", "3").replace("9,9", "9"))

    reading = read(path)

    assert (reading.scan.rows, reading.units, reading.scan.problems) == (2, 2, {})
    assert rejected(path) == path.with_name("shop.rejected-2.csv")


def test_rows_that_are_rejected_again_have_one_reason(shop: Path) -> None:
    path = rejected(shop)
    path.write_text(path.read_text().replace("many", "3") + "1,b,4,was fine\n")

    again = rejected(path)

    assert again == path.with_name("shop.rejected-2.csv")
    assert again.read_text().splitlines()[0] == "user_id,variant,visits,rejected_because"


def test_numbers_mean_the_same_and_rows_have_their_units(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("variant;revenue\na;12,50;\nb;1.200,00;\na;x;\nb;y;\n")
    mended = rejected(path)
    assert mended.read_text().splitlines()[0] == "user_id;variant;revenue;rejected_because"
    mended.write_text(mended.read_text().replace("x", "3,50").replace("y", "9,25"))

    reading = read(mended)

    assert [float(found.values[0] or 0) for found in reading.scan.good()] == [3.5, 9.25]
    assert [found.unit for found in reading.scan.good()] == ["3", "4"]
