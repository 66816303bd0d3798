"""OpenFeature's JavaScript SDKs, as npm has them, against the API over PostgreSQL and ClickHouse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.conftest import postgres
from tests.integration.results.conftest import House, database, empty_house

__all__ = ["database", "empty_house", "postgres"]

Json = dict[str, Any]
Runner = Callable[..., Json]

SOURCES = Path(__file__).with_name("javascript")
NODE, NPM = shutil.which("node"), shutil.which("npm")
_UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")
_SECONDS = 120


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of this folder, with the packages that their lock names."""
    if NODE is None or NPM is None:
        pytest.skip("needs Node.js and npm")
    folder = tmp_path_factory.mktemp("javascript") / "programs"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={folder / 'cache'}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if any(code in done.stderr for code in _UNREACHABLE):
        pytest.skip(f"npm can't reach its registry: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def run(javascript: Path) -> Runner:
    """Runs one of the programs with what it reads; returns what it prints."""

    def run_program(name: str, **given: Any) -> Json:
        done = subprocess.run(
            [NODE or "node", name],
            cwd=javascript,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: Json = json.loads(done.stdout) | {"said": done.stderr}
        return found

    return run_program


@pytest.fixture
def running(empty_house: House) -> Callable[..., str]:
    """Makes an experiment of two equal arms and starts it; returns its key."""

    def start(payloads: tuple[Any, Any] = (None, None), **fields: Any) -> str:
        key = f"flag-{uuid4()}"
        arms = [
            {"key": name, "is_control": name == "control", "payload": payload}
            for name, payload in zip(("control", "treatment"), payloads, strict=True)
        ]
        body = {"key": key, "variants": arms, "metrics": METRICS, "holdouts": []} | fields
        empty_house.api.post("/v1/experiments", json=body).raise_for_status()
        empty_house.api.post(f"/v1/experiments/{key}/start").raise_for_status()
        return key

    return start


METRICS = [{"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"}]


@pytest.fixture
def publishable(empty_house: House) -> Callable[[str], str]:
    """Makes a token that stands in a page of this origin."""

    def make(origin: str) -> str:
        body = {"name": "page", "scopes": ["assign"], "origins": [origin]}
        secret: str = empty_house.api.post("/v1/tokens", json=body).raise_for_status().json()["secret"]
        return secret

    return make


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing on the standard error."""


@pytest.fixture
def site(javascript: Path) -> Iterator[str]:
    """The origin of a web server of this folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(javascript)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
