"""The command line against the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from typer.testing import Result

from tests import command_line
from tests.integration.api.conftest import TOKEN

Run = Callable[..., Result]


@pytest.fixture
def run(api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as the administrator, where nobody can be asked."""
    monkeypatch.setenv("NEONBLUE_API_URL", str(api.base_url).rstrip("/"))
    monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)
    monkeypatch.setenv("NEONBLUE_DATA_DIR", str(tmp_path))

    def invoke(*arguments: str, standard_input: str | None = None) -> Result:
        done = command_line.invoke(*arguments, standard_input=standard_input)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "Traceback" not in done.output
        return done

    return invoke


def words(text: str) -> str:
    """The text on one line, however wide the terminal was."""
    return " ".join(text.split())


def document(key: str, *lines: str) -> str:
    """An experiment of two arms, with further lines."""
    return "\n".join([f"key: {key}", "variants:", "  - {key: a, is_control: true}", "  - {key: off}", *lines])


def new_key() -> str:
    return f"e-{uuid4()}"


class _Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Ok.\n")

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def another_server() -> Iterator[str]:
    """The address of something that answers every request, but not as the API does."""
    with HTTPServer(("127.0.0.1", 0), _Greeting) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
