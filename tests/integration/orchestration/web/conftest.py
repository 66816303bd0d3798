"""Dagster's page behind the gate, with small definitions, beside the API that knows who is who."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.integration.api.access.conftest import make_token, start_api, valkey
from tests.integration.orchestration.browser import INSTANCE, until
from tests.integration.warehouse import free_port

__all__ = ["make_token", "start_api", "valkey"]

SECRET = "the-stacks-own-secret"
PAGE_SECRET = "what-the-page-shows-the-api"
PROXY = "127.0.0.1"
SENSOR = """
{ sensorOrError(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "small",
                                 sensorName: "guardrails"})
  { ... on Sensor { id sensorState { id status } } } }
"""
STOP = 'mutation Stop { stopSensor(id: "%s") { __typename } }'
_WORKSPACE = """\
load_from:
  - python_module:
      module_name: tests.integration.orchestration.web.small
      location_name: small
"""
_LOADED = (
    "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
)


@dataclass
class Page:
    """Dagster's page, and what the stack itself sees there."""

    address: str
    clients: ExitStack

    def own(self, query: str) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.address}/graphql",
            json={"query": query},
            headers={"authorization": f"Bearer {SECRET}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def sensor(self) -> dict[str, str]:
        found: dict[str, Any] = self.own(SENSOR)["sensorOrError"]
        return {"id": found["sensorState"]["id"], "status": found["sensorState"]["status"]}

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Somebody with this token, or nobody."""
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        made = httpx.Client(base_url=self.address, headers={**headers, **bearer}, timeout=60, trust_env=False)
        return self.clients.enter_context(made)


@pytest.fixture(scope="module")
def whole_api(start_api: Any) -> Iterator[httpx.Client]:
    """The API that the page asks, and nobody else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEONBLUE_DAGSTER_PAGE_SECRET", PAGE_SECRET)
        with start_api(token_cache_seconds="0.2", wrong_tokens_per_minute="20") as client:
            yield client


@pytest.fixture(scope="module")
def page(whole_api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    home = tmp_path_factory.mktemp("dagster home")
    (home / "dagster.yaml").write_text(INSTANCE)
    (home / "workspace.yaml").write_text(_WORKSPACE)
    port = free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "NEONBLUE_DATA_DIR": str(home / "data"),
        "NEONBLUE_API_URL": str(whole_api.base_url),
        "NEONBLUE_DAGSTER_PORT": str(port),
        "NEONBLUE_DAGSTER_TOKEN": SECRET,
        "NEONBLUE_DAGSTER_PAGE_SECRET": PAGE_SECRET,
        "NEONBLUE_API_TRUSTED_PROXIES": PROXY,
        "NEONBLUE_DAGSTER_PUBLIC_URL": "https://dagster.example.com",
    }
    command = [sys.executable, "-m", "orchestration.web", str(home / "workspace.yaml")]
    with (home / "page.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    served = Page(f"http://127.0.0.1:{port}", ExitStack())
    try:
        until(lambda: process.poll() is not None or _loaded(served), "the definitions are loaded", 240)
        assert process.poll() is None, (home / "page.log").read_text()[-4000:]
        yield served
    finally:
        served.clients.close()
        process.terminate()
        process.wait(60)


def _loaded(page: Page) -> bool:
    try:
        entries = page.own(_LOADED)["workspaceOrError"].get("locationEntries", [])
    except httpx.HTTPError:
        return False
    return any(
        (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for entry in entries
    )


@pytest.fixture
def sensor(page: Page) -> Iterator[dict[str, str]]:
    """The sensor's id. It ran before the test, and must do so after it."""
    found = page.sensor()
    assert found["status"] == "RUNNING"
    yield found
    assert page.sensor()["status"] == "RUNNING"
