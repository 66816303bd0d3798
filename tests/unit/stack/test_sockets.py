"""A socket lies where only its owner comes, at a path that the system and gRPC can hold, the same one each time."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from neonblue.stack.processes import sockets


@pytest.fixture
def short() -> Iterator[Path]:
    """Beneath /tmp itself: the folder for temporary files may have a long path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made) / "a b"
        folder.mkdir()
        yield folder


@pytest.fixture(params=["x/" * 100, "100 %", "%41", "#1", "a?b", "é"])
def long(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder whose own path can't be a socket's."""
    folder = tmp_path / request.param
    folder.mkdir(parents=True)
    yield folder
    for link in folder.iterdir():
        shutil.rmtree(link.readlink(), ignore_errors=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_lies_in_the_folder_where_the_path_fits(short: Path) -> None:
    found = sockets.path(short, "code-server")

    assert found.is_relative_to(short)
    assert mode(found.parent) == 0o700
    assert sockets.path(short, "code-server") == found


def test_else_it_lies_in_a_private_folder_that_the_folder_leads_to(long: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        (found,) = set(pool.map(lambda _: sockets.path(long, "code-server"), range(8)))

    assert len(os.fsencode(found)) <= 107
    assert mode(found.parent) == 0o700
    assert (long / "code-server").readlink() == found.parent
    assert sockets.path(long, "code-server") == found


@pytest.mark.parametrize("hostile", ["gone", "open to others", "a link", "a file"])
def test_a_private_folder_that_is_no_more_is_not_used(long: Path, hostile: str) -> None:
    first = sockets.path(long, "code-server").parent
    if hostile == "open to others":
        first.chmod(0o777)
    else:
        first.rmdir()
    if hostile == "a link":
        first.symlink_to(long)
    if hostile == "a file":
        first.write_text("")

    found = sockets.path(long, "code-server")

    assert found.parent != first
    assert mode(found.parent) == 0o700
    first.unlink() if first.is_symlink() or first.is_file() else shutil.rmtree(first, ignore_errors=True)


def test_a_data_folder_may_move_to_a_longer_path_and_back(short: Path) -> None:
    first = sockets.path(short, "code-server")
    moved = short.rename(short.parent / ("y" * 120))

    away = sockets.path(moved, "code-server")
    moved.rename(short)

    assert not away.is_relative_to(moved)
    assert sockets.path(short, "code-server") == first
    assert mode(first.parent) == 0o700
    away.parent.rmdir()


def test_where_the_usual_temporary_folder_is_too_long_it_is_not_used(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("z" * 100)))

    assert len(os.fsencode(sockets.path(long, "code-server"))) <= 107
