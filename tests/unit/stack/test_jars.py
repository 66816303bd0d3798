"""What is downloaded is what the lock says, or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.stack.errors import ArtifactError
from neonblue.stack.jars import Artifact, accept, format_lock, locked, missing, parse_lock
from neonblue.stack.jars_lock import parse_resolved

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
