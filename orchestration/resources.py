"""The connections that assets and checks use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import clickhouse_connect
import psycopg
from clickhouse_connect.driver.client import Client
from dagster import ConfigurableResource

from neonblue.settings import Settings


class ClickHouse(ConfigurableResource[None]):
    """ClickHouse over HTTP, as the settings say."""

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for one piece of work; closed afterwards."""
        settings = Settings.load().clickhouse
        address = urlsplit(settings.address)
        client = clickhouse_connect.get_client(
            host=address.hostname or "127.0.0.1",
            port=address.port or 8123,
            secure=address.scheme == "https",
            username=settings.user,
            password=settings.password.get_secret_value(),
            database=settings.database,
            autogenerate_session_id=False,
        )
        try:
            yield client
        finally:
            client.close()


class Postgres(ConfigurableResource[None]):
    """PostgreSQL, the source of truth, read only."""

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A read-only connection for one piece of work; closed afterwards."""
        with psycopg.connect(Settings.load().postgres.dsn()) as connection:
            connection.read_only = True
            yield connection
