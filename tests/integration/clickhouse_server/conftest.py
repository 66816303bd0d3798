"""A real server, as its own process, on a free port and a temporary folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

ADMIN = ("admin", "admin's password")
READER = ("reader", "reader's password")
DEADLINE = 60.0


def wait_until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Return once `condition` holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(pause)
        pause = min(0.1, pause * 1.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """The server's process and its address; `more` are settings of its own."""

    path: Path
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.path.with_name(f"{self.path.name}.log")

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NEONBLUE_")}
        environment |= {
            "NEONBLUE_CLICKHOUSE_USER": ADMIN[0],
            "NEONBLUE_CLICKHOUSE_PASSWORD": ADMIN[1],
            "NEONBLUE_CLICKHOUSE_READONLY_USER": READER[0],
            "NEONBLUE_CLICKHOUSE_READONLY_PASSWORD": READER[1],
            **self.more,
        }
        module = "neonblue.clickhouse_server"
        command = [sys.executable, "-m", module, "--path", str(self.path), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--slow-query", "0"], env=environment, stdout=log, stderr=log
            )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.address}/ping", timeout=5).text == "Ok.\n"
        except httpx.TransportError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def client(self, user: tuple[str, str] = ADMIN, **options: object) -> Client:
        name, password = user
        return clickhouse_connect.get_client(
            host="127.0.0.1", port=self.port, username=name, password=password, **options
        )

    def post(
        self,
        content: str | bytes,
        user: tuple[str, str] = ADMIN,
        headers: dict[str, str] | None = None,
        **arguments: str,
    ) -> httpx.Response:
        """One request with `content` as its body and `arguments` in its URL."""
        return httpx.post(
            self.address,
            content=content,
            params=arguments,
            headers=headers,
            auth=user,
            timeout=DEADLINE,
            trust_env=False,
        )

    def running(self, part: str) -> int:
        """How many queries whose text holds `part` the engine runs, this one aside."""
        named = "position(query, {part:String}) > 0 AND query NOT LIKE '%processes%'"
        return int(self.post(f"SELECT count() FROM system.processes WHERE {named}", param_part=part).text)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("clickhouse") / "data")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def table(server: Server) -> Iterator[str]:
    """An empty table (a UInt32, s String)."""
    name = f"t_{time.monotonic_ns()}"
    assert server.post(f"CREATE TABLE {name} (a UInt32, s String) ENGINE = MergeTree ORDER BY a").is_success
    yield name
    server.post(f"DROP TABLE {name}")
