"""How much room will do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from neonblue import disk
from neonblue.disk import MEBIBYTE, Marks, Room, Space, judge
from neonblue.settings import DiskSettings

GIBIBYTE = 1024 * MEBIBYTE
NOTHING_GIVEN = DiskSettings()


@pytest.mark.parametrize(
    ("total", "warn", "refuse"),
    [(100 * GIBIBYTE, 2048, 512), (10 * GIBIBYTE, 2048, 512), (1200 * MEBIBYTE, 240, 60)],
)
def test_the_marks_are_lower_on_a_small_disk(total: int, warn: int, refuse: int) -> None:
    assert Marks.of(NOTHING_GIVEN, total) == Marks(warn * MEBIBYTE, refuse * MEBIBYTE)


def test_given_marks_hold_on_any_disk() -> None:
    given = DiskSettings(warn_mebibytes=900, refuse_mebibytes=0)

    assert Marks.of(given, GIBIBYTE) == Marks(900 * MEBIBYTE, 0)
    assert Marks.of(DiskSettings(refuse_mebibytes=4000), GIBIBYTE) == Marks(4000 * MEBIBYTE, 4000 * MEBIBYTE)


def test_a_warning_that_comes_too_late_is_refused() -> None:
    with pytest.raises(ValidationError, match="warn_mebibytes must not be less than refuse_mebibytes"):
        DiskSettings(warn_mebibytes=100, refuse_mebibytes=200)


@pytest.mark.parametrize(
    ("free", "files", "room"),
    [
        (200, None, Room.OK),
        (199, None, Room.LOW),
        (50, None, Room.LOW),
        (49, None, Room.FULL),
        (0, None, Room.FULL),
        (200, 20_000, Room.OK),
        (200, 19_999, Room.LOW),
        (200, 1_999, Room.FULL),
    ],
)
def test_room_is_judged_by_bytes_and_by_files(free: int, files: int | None, room: Room) -> None:
    assert judge(Space(Path("/"), free, 1000, files), Marks(warn=200, refuse=50)) is room


def test_the_sentence_says_how_much_where_and_what_to_do(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free // MEBIBYTE

    full = disk.look(tmp_path, DiskSettings(refuse_mebibytes=free + 10_000))
    low = disk.look(tmp_path, DiskSettings(warn_mebibytes=free + 10_000, refuse_mebibytes=0))

    assert (full.room, low.room) == (Room.FULL, Room.LOW)
    assert full.sentence.startswith("full: ")
    assert (
        f"on {tmp_path}; events are refused until there are more than {free + 10_000:,} MiB" in full.sentence
    )
    assert low.sentence.startswith("low: ")


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    assert disk.look(tmp_path / "a" / "b", NOTHING_GIVEN).space.folder == tmp_path


def test_a_disk_of_its_own_within_the_folder_counts(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk only")
    (tmp_path / "postgres").symlink_to(other)
    fuller = min((tmp_path, other), key=lambda place: shutil.disk_usage(place).free)
    least = shutil.disk_usage(fuller).free // MEBIBYTE

    found = disk.look(tmp_path, DiskSettings(refuse_mebibytes=least + 1, warn_mebibytes=least + 1))

    assert found.space.folder == (tmp_path if fuller == tmp_path else tmp_path / "postgres")
