"""A client for ClickHouse, as the settings say."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from neonblue.log_lines import run_of_process
from neonblue.settings import ClickHouseSettings
from neonblue.tracing import CURRENT, traceparent

# What they log of a failure they also raise, and quote the query.
for _name in ("clickhouse_connect", "urllib3"):
    _theirs = logging.getLogger(_name)
    _theirs.addHandler(logging.NullHandler())
    _theirs.propagate = False


@contextmanager
def connect(settings: ClickHouseSettings) -> Iterator[Client]:
    """A client for one piece of work; closed afterwards. It has no session: its queries may overlap.

    In a run's process the queries carry its id as their `log_comment`; what is traced says so, as ClickHouse takes it.
    """
    run_id, carried = run_of_process(), traceparent(CURRENT.get())
    more: dict[str, Any] = {} if carried is None else {"headers": {"traceparent": carried}}
    address = urlsplit(settings.address)
    client = clickhouse_connect.get_client(
        host=address.hostname or "127.0.0.1",
        port=address.port or 8123,
        secure=address.scheme == "https",
        username=settings.user,
        password=settings.password.get_secret_value(),
        database=settings.database,
        autogenerate_session_id=False,
        settings={} if run_id is None else {"log_comment": f"run_id={run_id}"},
        **more,
    )
    try:
        yield client
    finally:
        client.close()


def execute(
    client: Client, statement: str, parameters: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> None:
    """Carry out a statement that answers nothing. Long parameters travel in the body, as a query's do.

    `Client.command` puts them into the URL, where a list of some hundred ids is too long for any server.
    """
    client.raw_query(statement, parameters=dict(parameters), settings=dict(settings or {}))
