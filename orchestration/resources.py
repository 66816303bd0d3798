"""The connections that assets and checks use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from clickhouse_connect.driver.client import Client
from dagster import ConfigurableResource

from neonblue.clickhouse import connect
from neonblue.settings import Settings


class ClickHouse(ConfigurableResource[None]):
    """ClickHouse over HTTP, as the settings say."""

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for one piece of work; closed afterwards."""
        with connect(Settings.load().clickhouse) as client:
            yield client


class Postgres(ConfigurableResource[None]):
    """PostgreSQL, the source of truth, read only."""

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A read-only connection for one piece of work; closed afterwards."""
        with psycopg.connect(Settings.load().postgres.dsn()) as connection:
            connection.read_only = True
            yield connection
