"""A deleted draft is unknown to every API process, as if it had never been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from neonblue.contract.identifiers import uuid7
from tests.integration.api.conftest import Server
from tests.integration.api.fleet import running_api, wait_until
from tests.integration.api.life_cycle import draft, started

UNKNOWN = ["unknown_experiment"] * 3
EVENT = {"user_id": "somebody", "event_type": "page_view"}


@pytest.fixture(scope="module")
def other(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Another process on the same PostgreSQL."""
    with running_api(postgres, tmp_path_factory.mktemp("other")) as client:
        yield client


def told(api: httpx.Client, made: dict[str, Any]) -> list[str | None]:
    """The code or reason of an assignment, and with which code events by key and number are refused, if they are."""
    assigned = api.post("/v1/assignments", json={"experiment": made["key"], "user_id": "somebody"}).json()
    events = [{"experiment": made["key"]}, {"experiment_id": made["id"]}]
    sent = api.post("/v1/events", json=[EVENT | {"id": uuid7()} | one for one in events]).json()
    return [assigned.get("code", assigned.get("reason")), *(item.get("code") for item in sent["items"])]


def known(api: httpx.Client, made: dict[str, Any]) -> bool:
    return told(api, made) == ["draft", None, None]


def test_a_draft_deleted_through_one_process_is_unknown_to_all(
    api: httpx.Client, other: httpx.Client
) -> None:
    made = draft(api)
    assert known(api, made)
    assert known(other, made)

    api.delete(f"/v1/experiments/{made['key']}").raise_for_status()

    assert told(api, made) == UNKNOWN
    wait_until(lambda: told(other, made) == UNKNOWN, "the other process forgets the draft")


def test_a_deletion_that_nobody_was_told_of_is_found(
    api: httpx.Client, other: httpx.Client, postgres: Server
) -> None:
    made = draft(api)
    assert known(other, made)

    with psycopg.connect(postgres.dsn) as connection:
        for table in ("variants", "experiment_versions"):
            connection.execute(f"DELETE FROM {table} WHERE experiment_id = %s".encode(), (made["id"],))
        connection.execute("DELETE FROM experiments WHERE id = %s", (made["id"],))

    for client in (api, other):
        wait_until(lambda client=client: told(client, made) == UNKNOWN, "the draft is forgotten")


def test_the_key_of_a_deleted_draft_names_the_experiment_that_has_it_now(
    api: httpx.Client, other: httpx.Client
) -> None:
    before = draft(api)
    assert known(other, before)
    api.delete(f"/v1/experiments/{before['key']}").raise_for_status()

    now = started(api, key=before["key"])

    for client in (api, other):
        wait_until(lambda client=client: told(client, now) == [None, None, None], "the key's experiment runs")
        wait_until(
            lambda client=client: told(client, before)[2] == "unknown_experiment", "the draft is unknown"
        )
        assert told(client, before)[:2] == [None, None]
