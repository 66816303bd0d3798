"""The process itself: what it refuses to start as, what it logs, how it ends and comes back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .conftest import Server, free_port, wait_until

MODULE = "neonblue.clickhouse_server"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop and kill."""
    server = Server(tmp_path / "data")
    yield server
    if server.process is not None and server.process.poll() is None:
        server.stop(signal.SIGKILL)


def refusal(tmp_path: Path, *arguments: str, password: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEONBLUE_")}
    environment["NEONBLUE_CLICKHOUSE_PASSWORD"] = password
    command = [
        sys.executable,
        "-m",
        MODULE,
        "--path",
        str(tmp_path / "data"),
        "--port",
        str(free_port()),
        *arguments,
    ]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    return ended.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_only_the_loopback_is_served(tmp_path: Path, host: str) -> None:
    assert "loopback" in refusal(tmp_path, "--host", host, password="given")
    assert not (tmp_path / "data").exists()


def test_a_password_is_required(tmp_path: Path) -> None:
    assert "NEONBLUE_CLICKHOUSE_PASSWORD" in refusal(tmp_path, password="")


def test_other_addresses_of_the_machine_do_not_answer(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}:{server.port}/ping")


def test_log_tells_queries_but_no_values(server: Server) -> None:
    secret = "value-of-a-parameter"
    assert server.post("SELECT {x:String}, 'literal-in-text'", query_id="logged", param_x=secret).is_success
    wait_until(lambda: '"logged"' in server.log.read_text())
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if '"logged"' in line]
    assert [(line["event"], line["user"], line["result_rows"]) for line in lines] == [
        ("query_finished", "admin", 1)
    ]
    assert secret not in text
    assert "literal-in-text" not in text


def test_stop_ends_running_queries_and_keeps_the_data(own: Server) -> None:
    own.start()
    own.post("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    own.post("INSERT INTO kept VALUES (1)")
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(own.post, "SELECT sum(sipHash64(number)) FROM system.numbers /* endless */")
        wait_until(lambda: own.running("endless") == 1)
        assert own.stop() in {0, -signal.SIGTERM}
        assert endless.exception() is not None or endless.result().status_code >= 500
    own.start()
    assert own.post("SELECT a FROM kept").text == "1\n"


def test_start_after_a_kill_recovers(own: Server) -> None:
    own.start()
    own.post("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
    own.post("CREATE MATERIALIZED VIEW doubled ENGINE = MergeTree ORDER BY b AS SELECT a * 2 AS b FROM kept")
    acknowledged = 0
    for number in range(20):
        assert own.post(f"INSERT INTO kept VALUES ({number})").is_success
        acknowledged += 1
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            own.post, "INSERT INTO kept SELECT number + 100 FROM system.numbers /* writing */"
        )
        wait_until(lambda: own.running("writing") == 1)
        own.stop(signal.SIGKILL)
        assert writing.exception() is not None
    own.start()
    assert own.post("SELECT count() FROM kept WHERE a < 100").text == f"{acknowledged}\n"
    assert own.post("SELECT count() FROM doubled WHERE b < 200").text == f"{acknowledged}\n"
    assert own.post("INSERT INTO kept VALUES (50)").is_success


def test_configuration_reaches_the_engine(server: Server) -> None:
    assert (
        server.post("SELECT getSetting('final'), getSetting('max_partitions_per_insert_block')").text
        == "true\t0\n"
    )
    macros = server.post("SELECT macro FROM system.macros ORDER BY macro").text.split()
    assert macros == ["kafka_broker_list", "kafka_group", "kafka_topic"]
    assert server.post("SELECT toString(toDateTime(0))").text == "1970-01-01 00:00:00\n"
