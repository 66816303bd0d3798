"""What is downloaded is what the lock says, or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.stack.errors import ArtifactError
from neonblue.stack.jvm.jars import (
    Artifact,
    accept,
    damaged,
    ensure,
    format_lock,
    locked,
    missing,
    parse_lock,
    plugin_is_whole,
    remove_damaged,
)
from neonblue.stack.jvm.jars_lock import parse_resolved

JAR = Artifact("org.example", "thing", "1.2", "jar", "", hashlib.sha256(b"right").hexdigest())
PARTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_", min_size=1, max_size=12)
ARTIFACTS = st.builds(
    Artifact,
    PARTS,
    PARTS,
    PARTS,
    PARTS,
    st.one_of(st.just(""), PARTS),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


@given(st.lists(ARTIFACTS, max_size=5))
def test_a_lock_reads_back_as_it_was_written(artifacts: list[Artifact]) -> None:
    assert sorted(parse_lock(format_lock(artifacts)), key=str) == sorted(artifacts, key=str)


@pytest.mark.parametrize("line", ["a:b:jar:1", "a:b sha256:" + "0" * 64, "a:b:jar:1 sha256:00"])
def test_a_line_that_is_no_artefact_is_named(line: str) -> None:
    with pytest.raises(ArtifactError, match="line 2"):
        parse_lock(f"# comment\n{line}\n")


def test_a_right_file_moves_into_the_cache(tmp_path: Path) -> None:
    download = tmp_path / "download"
    download.write_bytes(b"right")

    accepted = accept(download, JAR, tmp_path / "cache")

    assert accepted == tmp_path / "cache/org/example/thing/1.2/thing-1.2.jar"
    assert accepted.read_bytes() == b"right"
    assert not download.exists()
    assert missing(tmp_path / "cache", [JAR]) == []


def test_a_wrong_file_is_refused_and_removed(tmp_path: Path) -> None:
    download = tmp_path / "download"
    download.write_bytes(b"wrong")

    with pytest.raises(
        ArtifactError, match=r"org\.example:thing:jar:1\.2 has SHA-256 .* but jars\.lock says"
    ):
        accept(download, JAR, tmp_path / "cache")

    assert not download.exists()
    assert missing(tmp_path / "cache", [JAR]) == [JAR]


def test_the_lock_holds_what_the_stack_runs_and_no_address() -> None:
    names = {(artifact.name, artifact.version) for artifact in locked()}

    assert {("kafka_2.13", "4.3.1"), ("connect-runtime", "4.3.1"), ("log4j-slf4j-impl", "2.25.4")} <= names
    assert [artifact.classifier for artifact in locked() if artifact.classifier] == ["plugin"]
    assert "://" not in format_lock(locked())


def test_mavens_listing_is_read_with_and_without_classifier() -> None:
    listing = """
The following files have been resolved:
   org.apache.kafka:kafka_2.13:jar:4.3.1:compile
   org.hdrhistogram:HdrHistogram:jar:2.2.2:runtime -- module HdrHistogram (auto)
   io.debezium:debezium-connector-postgres:tar.gz:plugin:3.7.0.Final:compile
"""
    assert parse_resolved(listing) == [
        ("org.apache.kafka", "kafka_2.13", "jar", "", "4.3.1"),
        ("org.hdrhistogram", "HdrHistogram", "jar", "", "2.2.2"),
        ("io.debezium", "debezium-connector-postgres", "tar.gz", "plugin", "3.7.0.Final"),
    ]


@pytest.fixture
def cache(tmp_path: Path) -> tuple[Path, list[Artifact]]:
    """A cache with everything in it, and its lock: a jar, and a plugin with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("connector/connector.jar")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"12345"))
    content = packed.getvalue()
    plugin = Artifact(
        "org.example", "connector", "1", "tar.gz", "plugin", hashlib.sha256(content).hexdigest()
    )
    folder = tmp_path / "cache"
    for artifact, content_of in ((JAR, b"right"), (plugin, content)):
        (folder / artifact.path).parent.mkdir(parents=True)
        (folder / artifact.path).write_bytes(content_of)
    return folder, [JAR, plugin]


def test_a_whole_cache_needs_no_network_and_unpacks_the_plugin(cache: tuple[Path, list[Artifact]]) -> None:
    folder, lock = cache

    jars = ensure(folder, lock)

    assert (folder / jars.plugin_path / "connector" / "connector.jar").read_bytes() == b"12345"
    assert jars.class_path == (JAR.path,)
    assert plugin_is_whole(folder, lock)
    assert (damaged(folder, lock), remove_damaged(folder, lock)) == ([], [])


def test_what_a_fetch_left_that_was_killed_is_removed_by_the_next_one(
    cache: tuple[Path, list[Artifact]],
) -> None:
    folder, lock = cache
    leftovers = [folder / "download-x", folder / "plugins" / ".unpack-x"]
    for leftover in leftovers:
        leftover.mkdir(parents=True)

    ensure(folder, lock)

    assert [leftover for leftover in leftovers if leftover.exists()] == []


def test_what_a_disk_has_damaged_is_found_and_removed(cache: tuple[Path, list[Artifact]]) -> None:
    folder, lock = cache
    unpacked = folder / ensure(folder, lock).plugin_path
    (folder / JAR.path).write_bytes(b"")
    (unpacked / "connector" / "connector.jar").unlink()

    assert damaged(folder, lock) == [JAR]
    assert not plugin_is_whole(folder, lock)
    assert remove_damaged(folder, lock) == [JAR.coordinates, unpacked.name]
    assert missing(folder, lock) == [JAR]
    assert not unpacked.exists()


def test_a_plugin_that_can_not_be_unpacked_is_told_and_fetched_again(
    cache: tuple[Path, list[Artifact]],
) -> None:
    folder, lock = cache
    (folder / lock[1].path).write_bytes(b"no archive")

    with pytest.raises(ArtifactError, match=r"can't be unpacked: .* the next start fetches it again"):
        ensure(folder, lock)

    assert missing(folder, lock) == [lock[1]]


def test_a_cache_that_can_not_be_written_is_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(ArtifactError, match=r"can't be kept in .* NEONBLUE_CACHE_DIR"):
        ensure(tmp_path / "file" / "jars", [JAR])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_whole_cache_of_another_user_is_used_as_it_is(cache: tuple[Path, list[Artifact]]) -> None:
    folder, lock = cache
    ensure(folder, lock)
    folder.chmod(0o500)

    assert remove_damaged(folder, lock) == []
    assert ensure(folder, lock).class_path
