"""API processes beside the one that most tests use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.integration.api.conftest import TOKEN, Server, _free_port

DEADLINE_SECONDS = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look until the condition holds. Fails with `what` at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.02)  # between two looks


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@contextmanager
def running_api(
    server: Server, folder: Path, valkey: str | None = None, **settings: str
) -> Iterator[httpx.Client]:
    """As `running_process`, for who only asks."""
    with running_process(server, folder, valkey, **settings) as (client, _):
        yield client


@contextmanager
def running_process(
    server: Server, folder: Path, valkey: str | None = None, log: Path | None = None, **settings: str
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """An API process of its own on this PostgreSQL; further settings by the names of `ApiSettings`.

    Without the address of a Valkey there is none. `log`: where its log goes, a file in `folder` by default.
    """
    port = _free_port()
    environment = os.environ | {
        "NEONBLUE_POSTGRES_URL": server.dsn,
        "NEONBLUE_API_PORT": str(port),
        "NEONBLUE_API_TOKEN": TOKEN,
        "NEONBLUE_DATA_DIR": str(folder),
    }
    environment |= {f"NEONBLUE_API_{name.upper()}": value for name, value in settings.items()}
    if valkey is not None:
        environment["NEONBLUE_VALKEY_URL"] = valkey
    with (log or folder / f"api-{port}.log").open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stdout=said, stderr=said)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=30,
            limits=httpx.Limits(max_connections=100),
        ) as client:
            wait_until(lambda: answers(client), "the API is ready")
            yield client, process
    finally:
        process.terminate()
        process.wait(30)
