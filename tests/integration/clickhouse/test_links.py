"""Links of anonymous ids arrive as rows; what is no link is a dead letter."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from tests.integration.warehouse import Topic, envelope, rows

TIME = "2026-01-02T03:04:05.123456Z"
LINK: dict[str, Any] = {
    "schema_version": 1,
    "unit_type": "user",
    "anonymous_id": "116",
    "user_id": "ada",
    "linked_at": TIME,
    "received_at": TIME,
}


def test_a_link_arrives_once_however_often_it_is_sent(clickhouse: Client, topic: Topic) -> None:
    for _ in range(2):
        topic.send(envelope("user_link", LINK))
    columns = "unit_type, anonymous_id, user_id, toString(linked_at), toString(received_at)"
    assert rows(clickhouse, f"SELECT {columns} FROM user_links FINAL") == [
        ("user", "116", "ada", "2026-01-02 03:04:05.123456", "2026-01-02 03:04:05.123456")
    ]
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"anonymous_id": ""}, "anonymous_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": "116"}, "user_id"),
        ({"linked_at": "soon"}, "linked_at"),
        ({"received_at": None}, "received_at"),
    ],
)
def test_what_is_no_link_is_a_dead_letter(
    clickhouse: Client, topic: Topic, change: dict[str, Any], error: str
) -> None:
    topic.send(envelope("user_link", LINK | change))
    assert rows(clickhouse, "SELECT count() FROM user_links") == [(0,)]
    ((found,),) = rows(clickhouse, "SELECT error FROM dead_letters")
    assert found.startswith(error)
