"""Caddy before two APIs: what one of them does not answer, the other one does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from neonblue.stack.processes.ports import free_ports

SECONDS = 60.0
CADDYFILE = Path(__file__).parents[3] / "compose" / "Caddyfile"
CADDY = shutil.which("caddy")

pytestmark = pytest.mark.skipif(CADDY is None, reason="Caddy is not installed: apt-get install caddy")


class Standing:
    """Two servers that say which they are, and Caddy before them."""

    def __init__(self, folder: Path) -> None:
        *ports, self._front = free_ports(3)
        self.processes = [self._server(folder / name, port) for name, port in zip("ab", ports, strict=True)]
        configuration = folder / "Caddyfile"
        configuration.write_text(CADDYFILE.read_text().replace("admin 127.0.0.1:2019", "admin off"))
        given = {
            "HOME": str(folder),
            "SITE_ADDRESS": f"http://127.0.0.1:{self._front}",
            "API_UPSTREAMS": " ".join(f"127.0.0.1:{port}" for port in ports),
        }
        words = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(configuration)]
        self.processes.append(_started(words, os.environ | given))

    @staticmethod
    def _server(folder: Path, port: int) -> subprocess.Popen[bytes]:
        folder.mkdir()
        for name in ("healthz", "who"):
            (folder / name).write_text(folder.name)
        words = [
            sys.executable,
            "-m",
            "http.server",
            str(port),
            "--bind",
            "127.0.0.1",
            "--directory",
            str(folder),
        ]
        return _started(words, dict(os.environ))

    def asked(self, times: int) -> list[str]:
        """Who answered; of what was no answer its status."""
        answers = (
            httpx.get(f"http://127.0.0.1:{self._front}/who", trust_env=False, timeout=20)
            for _ in range(times)
        )
        return [one.text if one.status_code == httpx.codes.OK else str(one.status_code) for one in answers]

    def within_a_minute(self, who: set[str]) -> None:
        ends = time.monotonic() + SECONDS
        while True:
            try:
                if set(self.asked(20)) == who:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < ends
            time.sleep(0.2)


def _started(words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    made = Standing(tmp_path)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()


def test_when_one_ends_no_request_fails(standing: Standing) -> None:
    standing.within_a_minute({"a", "b"})
    standing.processes[0].kill()
    standing.processes[0].wait()
    assert set(standing.asked(50)) == {"b"}
