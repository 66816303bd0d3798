"""The connections that assets, checks and sensors use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import psycopg
from clickhouse_connect.driver.client import Client
from dagster import ConfigurableResource

from neonblue.clickhouse import connect
from neonblue.contract.looks import LookMessage
from neonblue.settings import Settings

_API_SECONDS = 30.0
_CONFLICT = 409


class ClickHouse(ConfigurableResource[None]):
    """ClickHouse over HTTP, as the settings say."""

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for one piece of work; closed afterwards."""
        with connect(Settings.load().clickhouse) as client:
            yield client


class Postgres(ConfigurableResource[None]):
    """PostgreSQL, the source of truth."""

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A read-only connection for one piece of work; closed afterwards."""
        with psycopg.connect(Settings.load().postgres.dsn()) as connection:
            connection.read_only = True
            yield connection

    @contextmanager
    def maintenance(self) -> Iterator[psycopg.Connection]:
        """A connection that may drop partitions; commits at the end."""
        with psycopg.connect(Settings.load().postgres.dsn()) as connection:
            yield connection


class Api(ConfigurableResource[None]):
    """NeonBlue's own API: whatever changes an experiment goes through it, so that it is checked and audited."""

    def pause(self, experiment: str, reason: str) -> bool:
        """Pause a running experiment; False where it is not running any more. Raises httpx's error otherwise."""
        answer = self._post(f"/v1/experiments/{quote(experiment, safe='')}/pause", {"reason": reason})
        if answer.status_code == _CONFLICT:
            return False
        answer.raise_for_status()
        return True

    def carry_out_due(self) -> list[Mapping[str, Any]]:
        """Start and stop the experiments whose scheduled time has come; what was done."""
        answer = self._post("/v1/experiments/due", {})
        answer.raise_for_status()
        done = answer.json()
        items: list[Mapping[str, Any]] = done["items"] if isinstance(done, dict) else done
        return items

    def verify_erasures(self) -> bytes:
        """Look for what is left of erased people, in every store; the answer as JSON."""
        answer = self._post("/v1/erasures/verify", {})
        answer.raise_for_status()
        return answer.content

    def looks(self, experiment: str) -> list[LookMessage]:
        """Every look that was taken at the experiment, in order. Raises httpx's error."""
        answer = self._call("GET", _looks(experiment))
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=_LookList).items

    def keep_look(self, look: LookMessage) -> LookMessage | None:
        """Keep the look; the one that stands up to the same time, whoever took it.

        None: another look was taken first, so that this one is not the next. Raises httpx's error otherwise.
        """
        body = msgspec.to_builtins(look)
        del body["experiment"], body["taken_at"]
        answer = self._post(_looks(look.experiment), body)
        if answer.status_code == _CONFLICT and answer.json()["code"] == "look_taken":
            return None
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=LookMessage)

    def _post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        settings = Settings.load().api
        return httpx.request(
            method,
            f"{settings.address}{path}",
            json=body,
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
            timeout=_API_SECONDS,
        )


class _LookList(msgspec.Struct):
    items: list[LookMessage]


def _looks(experiment: str) -> str:
    return f"/v1/experiments/{quote(experiment, safe='')}/looks"
