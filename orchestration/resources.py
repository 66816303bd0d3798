"""The connections that assets, checks and sensors use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from clickhouse_connect.driver.client import Client
from dagster import ConfigurableResource

from neonblue.clickhouse.client import connect
from neonblue.contract.looks import LookMessage
from neonblue.results.kept import keep_look, kept_looks
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

    def take(self, experiment: str, step: str, body: Mapping[str, Any], once: str) -> bool:
        """Take a step of a running experiment's life, such as `pause`; False where its state no longer allows it.

        once: under the same text it is taken once, and answered as the first time. Raises httpx's error otherwise.
        """
        answer = self._post(f"/v1/experiments/{quote(experiment, safe='')}/{step}", body, once)
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

    def take_ramp_step(
        self, experiment: str, seen: Mapping[str, Any], once: str | None = None
    ) -> Mapping[str, Any]:
        """Do what is due of the experiment's ramp by what was seen; what was done. Raises httpx's error.

        once: as of `take`.
        """
        answer = self._post(f"/v1/experiments/{quote(experiment, safe='')}/ramp/due", seen, once)
        answer.raise_for_status()
        done: Mapping[str, Any] = answer.json()
        return done

    def verify_erasures(self) -> bytes:
        """Look for what is left of erased people, in every store; the answer as JSON."""
        answer = self._post("/v1/erasures/verify", {})
        answer.raise_for_status()
        return answer.content

    def looks(self, experiment: str) -> list[LookMessage]:
        """Every look at the experiment, in order; none of one that there is not. Raises httpx's error."""
        return kept_looks(Settings.load().api, experiment)

    def keep_look(self, look: LookMessage) -> LookMessage | None:
        """Keep the look; see `neonblue.results.kept.keep_look`."""
        return keep_look(Settings.load().api, look)

    def _post(self, path: str, body: Mapping[str, Any], once: str | None = None) -> httpx.Response:
        settings = Settings.load().api
        key = {} if once is None else {"Idempotency-Key": once}
        return httpx.post(
            f"{settings.address}{path}",
            json=body,
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}", **key},
            timeout=_API_SECONDS,
        )
