"""A list without a bound in a statement: it travels in the body, where no URL can be too long."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from api.erasures.clickhouse import Warehouse
from api.users.repository import Person
from neonblue.clickhouse.client import execute
from tests.integration.warehouse import rows

MANY = 5_000
ROOT = Path(__file__).parents[3]
ERASED = """
INSERT INTO erased_users (unit_type, person, person_key, erased_at, received_at, ingested_at)
SELECT 'user', unhex(person), 1, {at:DateTime64(6, 'UTC')}, {at:DateTime64(6, 'UTC')}, {at:DateTime64(6, 'UTC')}
FROM (SELECT arrayJoin({persons:Array(String)}) AS person)
"""


def test_thousands_of_closed_erasures_are_forgotten_at_once(clickhouse: Client) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    persons = [sha256(str(number).encode()).digest() for number in range(MANY)]
    execute(clickhouse, ERASED, {"persons": [person.hex() for person in persons], "at": at})
    assert rows(clickhouse, "SELECT count() FROM erased_users") == [(MANY,)]

    Warehouse(clickhouse).forget(dict.fromkeys(persons, at))

    assert rows(clickhouse, "SELECT count() FROM erased_users") == [(0,)]


def test_thousands_of_unreadable_messages_about_one_person_are_deleted(clickhouse: Client) -> None:
    clickhouse.command(
        "INSERT INTO dead_letters (message, error, topic, _partition, _offset, element, ingested_at) "
        f"SELECT '{{\"user_id\": \"gone\"', 'no JSON', 'events', 0, number, 0, now64() FROM numbers({MANY})"
    )

    assert Warehouse(clickhouse).delete_letters(Person("user", "gone")) == MANY
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


@pytest.mark.parametrize("package", ["neonblue", "api", "orchestration"])
def test_no_statement_puts_its_parameters_into_the_url(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "command"
        and any(keyword.arg == "parameters" for keyword in call.keywords)
    ]
    assert found == []
