"""What a disk has damaged is set aside at the start, and noticed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from neonblue.settings import ClickHouseSettings, Settings
from neonblue.stack import broken_parts
from neonblue.stack.broken_parts import BrokenParts
from neonblue.stack.stream_memory import StreamMemory
from tests.integration.stack.clickhouse_server.conftest import ADMIN, Server


def test_a_part_that_is_set_aside_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broken_parts, "_LOOK_SECONDS", 0.0)
    server = Server(tmp_path / "data")
    server.start()
    server.post("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    for number in (1, 2):
        server.post(f"INSERT INTO t VALUES ({number})")
    clickhouse = ClickHouseSettings(url=server.address, user=ADMIN[0], password=SecretStr(ADMIN[1]))
    settings = Settings(data_dir=tmp_path / "stack", clickhouse=clickhouse)
    settings.data_dir.mkdir()
    memory = StreamMemory(settings.data_dir)
    watch = BrokenParts(settings, memory)
    try:
        assert watch.found() == ""
        part = Path(
            server.post("SELECT path FROM system.parts WHERE table = 't' ORDER BY name").text.split()[0]
        )
        server.stop()
        assert watch.found() == ""
        for file in part.iterdir():
            file.write_bytes(b"")
        server.start()

        assert server.post("SELECT n FROM t").text == "2\n"
        assert f"t/broken-on-start_{part.name}" in watch.found()
        assert watch.found() == ""
        assert BrokenParts(settings, memory).found() == ""
    finally:
        server.stop()
