"""The one place that makes a client for ClickHouse, as the settings say."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from neonblue.log_lines import run_of_process
from neonblue.settings import ClickHouseSettings
from neonblue.tracing import CURRENT, traceparent

CONNECT_SECONDS = 10
ANSWER_SECONDS = 300

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
    client = opened(
        settings,
        settings={} if run_id is None else {"log_comment": f"run_id={run_id}"},
        headers={} if carried is None else {"traceparent": carried},
    )
    try:
        yield client
    finally:
        client.close()


def opened(
    clickhouse: ClickHouseSettings,
    *,
    connect_seconds: int = CONNECT_SECONDS,
    answer_seconds: int = ANSWER_SECONDS,
    settings: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Client:
    """A client that its caller closes. It has no session: its queries may overlap, also those of several threads.

    connect_seconds: how long it tries to connect. answer_seconds: how long it waits for the next part of an answer.
    settings: ClickHouse's, for each query. headers: of each request.

    Raises clickhouse-connect's errors: it asks the server for its version.
    """
    at = clickhouse.endpoint
    return clickhouse_connect.get_client(
        host=at.host,
        port=at.port,
        secure=at.secure,
        username=clickhouse.user,
        password=clickhouse.password.get_secret_value(),
        database=clickhouse.database,
        connect_timeout=connect_seconds,
        send_receive_timeout=answer_seconds,
        autogenerate_session_id=False,
        settings=dict(settings or {}),
        headers=dict(headers or {}),
    )


def execute(
    client: Client, statement: str, parameters: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> None:
    """Carry out a statement that answers nothing. Long parameters travel in the body, as a query's do.

    `Client.command` puts them into the URL, where a list of some hundred ids is too long for any server.
    """
    client.raw_query(statement, parameters=dict(parameters), settings=dict(settings or {}))
