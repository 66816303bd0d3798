from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings
from tests.integration.warehouse import Topic, connect, create_ingestion_layer, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with running(tmp_path_factory.mktemp("clickhouse")) as settings:
        yield settings


@pytest.fixture(scope="session")
def layer(server: Settings) -> Iterator[Client]:
    with connect(server) as client:
        create_ingestion_layer(client)
        yield client


@pytest.fixture(scope="session")
def all_messages(layer: Client) -> Topic:
    """One topic for the session, so that no two messages share an offset."""
    return Topic(layer)


@pytest.fixture
def clickhouse(layer: Client) -> Client:
    """The ingestion layer, empty."""
    tables = (
        "events_processed",
        "assignments",
        "experiments",
        "erased_users",
        "user_links",
        "dead_letters",
        "canaries",
    )
    for table in tables:
        layer.command(f"TRUNCATE TABLE {table}")
    return layer


@pytest.fixture
def topic(clickhouse: Client, all_messages: Topic) -> Topic:
    return all_messages
