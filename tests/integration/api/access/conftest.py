"""The API on PostgreSQL and Valkey, and tokens of every kind."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pydantic import SecretStr

from neonblue.settings import Settings, ValkeySettings
from neonblue.stack.services.valkey import Valkey
from tests.integration.api.conftest import Server, _free_port
from tests.integration.api.fleet import running_api, wait_until

TokenMaker = Callable[..., str]


@dataclass
class Cache:
    """Valkey as the stack runs it; can be stopped and started again."""

    service: Valkey
    url: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.service.prepare()
        command = self.service.command()
        self.process = subprocess.Popen(
            command.arguments, env=dict(command.environment), cwd=command.folder, stdout=subprocess.DEVNULL
        )
        wait_until(self._answers, "Valkey answers")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def _answers(self) -> bool:
        try:
            self.service.check()
        except (redis.RedisError, OSError):
            return False
        return True


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    own = ValkeySettings(port=_free_port(), password=SecretStr(secrets.token_hex(8)))
    cache = Cache(Valkey(Settings(data_dir=tmp_path_factory.mktemp("valkey"), valkey=own)), own.dsn)
    cache.start()
    try:
        yield cache
    finally:
        cache.stop()
        cache.service.close()


@pytest.fixture(scope="session")
def start_api(postgres: Server, valkey: Cache, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Starts an API process with both stores and the given settings: a context manager of a client."""

    def start(**settings: str) -> Any:
        folder: Path = tmp_path_factory.mktemp("api")
        return running_api(postgres, folder, valkey=valkey.url, **settings)

    return start


@pytest.fixture(scope="session")
def whole_api(start_api: Any) -> Iterator[httpx.Client]:
    """The API with its usual settings, asked by an administrator."""
    with start_api(token_cache_seconds="0.2") as client:
        yield client


@pytest.fixture
def make_token(whole_api: httpx.Client) -> TokenMaker:
    """Makes a token over the API; returns its secret."""

    def make(*scopes: str, **fields: Any) -> str:
        answer = whole_api.post("/v1/tokens", json={"name": "test", "scopes": list(scopes)} | fields)
        assert answer.status_code == 201, answer.text
        secret: str = answer.json()["secret"]
        return secret

    return make


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which must be a problem like all others."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, document["code"]
