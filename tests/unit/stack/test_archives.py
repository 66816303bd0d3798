"""Archives of all kinds, hostile ones too, in the Python that runs the tests and in the oldest one there is."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from neonblue.stack.jvm import archives
from neonblue.stack.jvm.archives import ArchiveError, Bounds, differs, unpack

OLDEST = Path("/usr/bin/python3.11")
"""A distribution's own Python: Debian 12's is 3.11.2."""

Maker = Callable[[Path, dict[str, bytes]], Path]


def tar(folder: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    path = folder / "files.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "files.jar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


BOTH = pytest.mark.parametrize("make", [tar, zipped])


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@BOTH
def test_files_and_folders_come_out_as_they_went_in(make: Maker, tmp_path: Path) -> None:
    files = {"plugin/one.jar": b"1" * 3_000_000, "plugin/deep/two.txt": b"", "ä ö.txt": b"2"}
    archive = make(tmp_path, files)

    unpack(archive, tmp_path / "new" / "target")

    assert tree(tmp_path / "new" / "target") == files
    assert differs(archive, tmp_path / "new" / "target") == ""
    assert os.listdir(tmp_path / "new") == ["target"]  # noqa: PTH208


@BOTH
def test_one_folder_of_an_archive_can_be_had_alone(make: Maker, tmp_path: Path) -> None:
    files = {"META-INF/pom.xml": b"0", "META-INF/web/page.js": b"1", "META-INF/web/deep/page.css": b"2"}
    archive = make(tmp_path, files)

    unpack(archive, tmp_path / "target", within="META-INF/web")

    assert tree(tmp_path / "target") == {"page.js": b"1", "deep/page.css": b"2"}
    assert differs(archive, tmp_path / "target", within="META-INF/web") == ""


@BOTH
def test_a_folder_that_is_not_there_is_an_error(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no file in META-INF/web"):
        unpack(make(tmp_path, {"META-INF/other": b""}), tmp_path / "target", within="META-INF/web")


@BOTH
@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a/..", "a\\..\\out", "c:\\out", "a\nb"])
def test_a_name_that_leads_out_is_refused_and_nothing_is_written(
    make: Maker, name: str, tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = make(tmp_path, {"good": b"1", name: b"2"})

    with pytest.raises(ArchiveError, match="would lead out"):
        unpack(archive, inner / "target")

    assert list(inner.iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_what_is_neither_a_file_nor_a_folder_is_refused(kind: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "files.tar"
    with tarfile.open(archive, "w") as made:
        info = tarfile.TarInfo("way")
        info.type, info.linkname = kind, "/etc"
        made.addfile(info)
        made.addfile(tarfile.TarInfo("way/passwd"))

    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        unpack(archive, tmp_path / "target")

    assert not (tmp_path / "target").exists()


def test_a_link_in_a_zip_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "files.jar"
    with zipfile.ZipFile(archive, "w") as made:
        link = zipfile.ZipInfo("way")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc")

    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        unpack(archive, tmp_path / "target")


@BOTH
@pytest.mark.parametrize("bounds", [Bounds(file_bytes=999), Bounds(bytes=1500), Bounds(members=1)])
def test_more_than_the_bounds_is_not_unpacked(make: Maker, bounds: Bounds, tmp_path: Path) -> None:
    archive = make(tmp_path, {"a": b"0" * 1000, "b": b"0" * 1000})

    with pytest.raises(ArchiveError, match=r"too large|more than"):
        unpack(archive, tmp_path / "target", bounds=bounds)

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_path_that_comes_twice_is_refused(names: tuple[str, str], tmp_path: Path) -> None:
    archive = tmp_path / "files.tar"
    with tarfile.open(archive, "w") as made:
        for name in names:
            made.addfile(tarfile.TarInfo(name))

    with pytest.raises(ArchiveError, match="twice"):
        unpack(archive, tmp_path / "target")


@pytest.mark.parametrize("bits", [stat.S_ISUID | 0o777, stat.S_ISGID | 0o755, 0o000, 0o644])
def test_no_more_than_the_right_to_run_is_taken_over(bits: int, tmp_path: Path) -> None:
    archive = tmp_path / "files.tar"
    with tarfile.open(archive, "w") as made:
        info = tarfile.TarInfo("program")
        info.mode = bits
        made.addfile(info)

    unpack(archive, tmp_path / "target")

    mode = stat.S_IMODE((tmp_path / "target" / "program").stat().st_mode)
    assert mode == (0o755 if bits & 0o100 else 0o644)


@BOTH
def test_a_damaged_archive_is_named_and_leaves_nothing(make: Maker, tmp_path: Path) -> None:
    archive = make(tmp_path, {"a": os.urandom(200_000)})
    whole = archive.read_bytes()
    inner = tmp_path / "inner"
    broken = [
        whole[:100_000],
        whole[:50] + os.urandom(2000) + whole[2050:],
        b"PK\x03\x04",
        b"",
        b"no archive",
    ]

    for content in broken:
        archive.write_bytes(content)
        with pytest.raises(ArchiveError, match=r"files\.\w+ "):
            unpack(archive, inner / "target")
        assert list(inner.iterdir()) == []


def test_a_compressed_stream_that_ends_early_is_damaged(tmp_path: Path) -> None:
    archive = tmp_path / "files.tar.gz"
    archive.write_bytes(gzip.compress(b"\0" * 10_000)[:-8])

    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "target")


@BOTH
def test_a_file_that_was_lost_or_cut_is_seen(make: Maker, tmp_path: Path) -> None:
    archive = make(tmp_path, {"a": b"123", "b": b"456"})
    unpack(archive, tmp_path / "target")

    (tmp_path / "target" / "b").write_bytes(b"4")
    assert differs(archive, tmp_path / "target") == "b"
    (tmp_path / "target" / "b").unlink()
    assert differs(archive, tmp_path / "target") == "b"


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    with pytest.raises(FileExistsError):
        unpack(tar(tmp_path, {"a": b""}), tmp_path / "target")


@pytest.mark.skipif(not OLDEST.is_file(), reason="there is no such Python here")
@BOTH
def test_the_oldest_python_on_this_machine_can_do_it(make: Maker, tmp_path: Path) -> None:
    archive = make(tmp_path, {"a/b": b"1"})
    script = (
        "import sys, importlib.util as u; from pathlib import Path\n"
        "spec = u.spec_from_file_location('archives', sys.argv[1]); module = u.module_from_spec(spec)\n"
        "sys.modules['archives'] = module; spec.loader.exec_module(module)\n"
        "module.unpack(Path(sys.argv[2]), Path(sys.argv[3])); print(sys.version)"
    )
    command = [OLDEST, "-I", "-c", script, archives.__file__, archive, tmp_path / "target"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "target") == {"a/b": b"1"}
