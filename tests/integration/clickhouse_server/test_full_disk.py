"""On a disk that is nearly full nothing is begun: a part that is cut off could pass for a whole one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clickhouse_server.conftest import Server, wait_until

MEBIBYTE = 1024**2
LEFT = 32 * MEBIBYTE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts a small disk")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("no small disk may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def whole(server: Server) -> str:
    """How many rows can be read, all of each."""
    return server.post("SELECT count() FROM t WHERE NOT ignore(*)").text.strip()


def test_what_would_not_fit_is_refused_until_there_is_room(small_disk: Path) -> None:
    server = Server(small_disk / "data")
    server.start()
    try:
        server.post("CREATE TABLE t (n UInt64, said String) ENGINE = MergeTree ORDER BY n")
        server.post("INSERT INTO t SELECT number, toString(number) FROM numbers(100000)")
        with (small_disk / "balloon").open("wb") as balloon:
            told = os.statvfs(small_disk)
            os.posix_fallocate(balloon.fileno(), 0, told.f_bavail * told.f_frsize - LEFT)

        refused = server.post("INSERT INTO t SELECT number, toString(number) FROM numbers(1000)")
        server.post("ALTER TABLE t DELETE WHERE n = 5 SETTINGS mutations_sync = 0")
        server.post("OPTIMIZE TABLE t FINAL")
        assert "NOT_ENOUGH_SPACE" in refused.text
        assert whole(server) == "100000"

        (small_disk / "balloon").unlink()
        wait_until(lambda: whole(server) == "99999")
        assert server.post("INSERT INTO t VALUES (5, 'a')").is_success
        assert whole(server) == "100000"
    finally:
        server.stop()
