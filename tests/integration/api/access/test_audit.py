"""The audit log: one entry for each change, chained, and checked by `neonblue audit verify`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import errors

from api.migrations import upgrade
from tests.integration.api.access.conftest import code
from tests.integration.api.conftest import Server
from tests.integration.api.test_durability import query

INSERT = """
INSERT INTO audit_log (actor, address, request_id, action, object_type, object_id, before, after)
VALUES (%s, '::1', NULL, 'update', 'thing', 'ünï;3:x', '{"b": 1.50, "a": [null, "é"]}', NULL)
"""


@pytest.fixture
def log(postgres: Server, tmp_path: Path) -> Iterator[str]:
    """A database of its own with ten entries: the others' log stays whole. Its address."""
    name = f"audit_{uuid4().hex}"
    query(postgres, f"CREATE DATABASE {name}")
    dsn = postgres.dsn.rpartition("/")[0] + f"/{name}"
    upgrade(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for number in range(10):
            connection.execute(INSERT, (f"actor {number}",))
    yield dsn
    query(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def verify(dsn: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "neonblue.cli.main", "audit", "verify", "--json", *arguments],
        env=os.environ | {"NEONBLUE_POSTGRES_URL": dsn},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def tampering(dsn: str) -> Iterator[psycopg.Connection]:
    """What someone with the owner's rights can do."""
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")
        yield connection
        connection.execute("ALTER TABLE audit_log ENABLE TRIGGER ALL")


def test_an_untouched_log_holds(log: str) -> None:
    status, report = verify(log)
    assert (status, report["rows"], report["broken"]) == (0, 10, None)


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE audit_log SET actor = 'someone else' WHERE id = 4", 4),
        ("UPDATE audit_log SET before = before || '{\"a\": 2}' WHERE id = 7", 7),
        ("UPDATE audit_log SET after = 'null' WHERE id = 2", 2),
        ("UPDATE audit_log SET at = at + interval '1 microsecond' WHERE id = 10", 10),
        ("UPDATE audit_log SET address = NULL WHERE id = 1", 1),
        ("UPDATE audit_log SET hash = sha256('x') WHERE id = 5", 5),
        ("DELETE FROM audit_log WHERE id = 3", 3),
        ("DELETE FROM audit_log WHERE id <= 2", 1),
        ("DELETE FROM audit_log WHERE id = 6; UPDATE audit_log SET id = id - 1 WHERE id > 6", 6),
    ],
)
def test_the_first_row_that_was_touched_is_named(log: str, statement: str, row: int) -> None:
    with tampering(log) as connection:
        connection.execute(statement.encode())
    status, report = verify(log)
    assert (status, report["broken"]["row"], report["rows"]) == (1, row, row - 1)


def test_a_row_whose_hash_was_made_anew_breaks_the_chain_at_the_next(log: str) -> None:
    """The forger uses the database's own functions."""
    with tampering(log) as connection:
        connection.execute("DELETE FROM audit_log WHERE id >= 5")
        connection.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_chain")
        before = verify_rows(log)
        connection.execute(INSERT, ("forger",))
    assert before
    assert verify(log)[1]["broken"] is None
    assert verify(log, "--expect", before[-1])[1]["broken"] is not None


def verify_rows(dsn: str) -> list[str]:
    """The hashes as another transaction sees them, in order."""
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("SELECT encode(hash, 'hex') FROM audit_log ORDER BY id")]


def test_a_log_cut_at_its_end_lacks_the_head_that_was_written_down(log: str) -> None:
    head = verify(log)[1]["head"]
    assert verify(log, "--expect", head)[0] == 0
    with tampering(log) as connection:
        connection.execute("DELETE FROM audit_log WHERE id > 8")
    assert verify(log)[0] == 0
    status, report = verify(log, "--expect", head)
    assert (status, report["broken"]["row"]) == (1, 9)


def test_what_is_left_after_old_rows_were_moved_is_checked_from_there(log: str) -> None:
    fifth = f"5:{verify_rows(log)[4]}"
    with tampering(log) as connection:
        connection.execute("DELETE FROM audit_log WHERE id <= 5")
    with psycopg.connect(log) as connection:
        connection.execute(INSERT, ("someone later",))

    assert verify(log)[1]["broken"]["row"] == 1
    status, report = verify(log, "--after", fifth)
    assert (status, report["rows"], report["head_row"], report["broken"]) == (0, 6, 11, None)
    assert verify(log, "--after", fifth, "--expect", fifth[2:])[0] == 0
    assert verify(log, "--after", f"5:{'0' * 64}")[1]["broken"]["row"] == 6
    assert verify(log, "--after", f"4{fifth[1:]}")[1]["broken"]["row"] == 5


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
def test_entries_are_neither_changed_nor_removed(log: str, statement: str) -> None:
    with psycopg.connect(log) as connection, pytest.raises(errors.RestrictViolation):
        connection.execute(statement.encode())


def test_concurrent_writers_form_one_chain(log: str) -> None:
    def write(number: int) -> None:
        with psycopg.connect(log) as connection:
            for _ in range(5):
                connection.execute(INSERT, (f"writer {number}",))
                if number % 3:
                    connection.commit()
                else:
                    connection.rollback()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(12)))
    status, report = verify(log)
    assert (status, report["rows"]) == (0, 10 + 8 * 5)


def test_a_change_says_who_what_and_from_where(whole_api: httpx.Client, start_api: Any) -> None:
    request = {"x-request-id": f"r-{uuid4()}"}
    made = whole_api.post(
        "/v1/tokens", json={"name": "audited", "scopes": ["viewer"]}, headers=request
    ).json()
    # A proxy on this machine, which this process trusts, says for whom it asks.
    with start_api(trusted_proxies="127.0.0.1") as behind_proxy:
        behind_proxy.delete(f"/v1/tokens/{made['id']}", headers={"x-forwarded-for": "203.0.113.9"})
    wanted = {"object_type": "token", "object_id": str(made["id"])}
    revoked, created = whole_api.get("/v1/audit", params=wanted).json()["items"]
    assert (created["action"], created["before"], created["after"]["name"]) == ("create", None, "audited")
    assert (revoked["action"], revoked["before"]["revoked_at"]) == ("revoke", None)
    assert revoked["after"]["revoked_at"] is not None
    assert created["actor"].startswith("token:")
    assert (created["address"], revoked["address"]) == ("127.0.0.1", "203.0.113.9")
    assert created["request_id"] == request["x-request-id"]
    assert len(created["hash"]) == 64


def test_the_first_administrator_is_an_entry_too(whole_api: httpx.Client) -> None:
    entries = whole_api.get("/v1/audit", params={"actor": "system", "object_type": "token"}).json()["items"]
    assert [(entry["action"], entry["after"]["name"]) for entry in entries] == [("create", "bootstrap")]


def test_filters_and_pages_find_the_same_entries(whole_api: httpx.Client) -> None:
    for _ in range(3):
        whole_api.post("/v1/tokens", json={"name": "paged", "scopes": ["viewer"]}).raise_for_status()
    wanted = {"object_type": "token", "action": "create"}
    at_once = [entry["id"] for entry in whole_api.get("/v1/audit", params=wanted).json()["items"]]
    paged: list[int] = []
    cursor: dict[str, str] = {}
    while len(paged) < len(at_once):
        page = whole_api.get("/v1/audit", params=wanted | {"limit": "2"} | cursor).json()
        paged += [entry["id"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged[: len(at_once)] == at_once
    entry = whole_api.get("/v1/audit", params=wanted | {"limit": "1"}).json()["items"][0]
    after = whole_api.get("/v1/audit", params={"since": entry["at"]}).json()["items"]
    assert entry["id"] in [found["id"] for found in after]
    before = whole_api.get("/v1/audit", params={"until": entry["at"]}).json()["items"]
    assert entry["id"] not in [found["id"] for found in before]


def test_an_unknown_filter_is_refused(whole_api: httpx.Client) -> None:
    assert code(whole_api.get("/v1/audit", params={"actr": "x"})) == (422, "unknown_field")
    assert code(whole_api.get("/v1/audit", params={"since": "yesterday"}))[0] == 422
    assert code(whole_api.get("/v1/audit?actor=%00")) == (400, "nul_character")


def test_what_others_wrote_meanwhile_holds_too(whole_api: httpx.Client, postgres: Server) -> None:
    whole_api.post("/v1/tokens", json={"name": "held", "scopes": ["viewer"]}).raise_for_status()
    status, report = verify(postgres.dsn)
    assert (status, report["broken"]) == (0, None)
    assert report["rows"] > 0


_AGED = """
DO $$
DECLARE
    entry record;
    last bytea := ''::bytea;
BEGIN
    FOR entry IN SELECT * FROM audit_log ORDER BY id LOOP
        IF entry.id <= {rows} THEN
            entry.at := entry.at - interval '{days} days';
        END IF;
        last := sha256(last || convert_to(
            audit_field(entry.id::text) || audit_field((extract(epoch FROM entry.at) * 1000000)::bigint::text)
            || audit_field(entry.actor) || audit_field(entry.address) || audit_field(entry.request_id)
            || audit_field(entry.action) || audit_field(entry.object_type) || audit_field(entry.object_id)
            || audit_field(entry.before::text) || audit_field(entry.after::text), 'UTF8'));
        UPDATE audit_log SET at = entry.at, hash = last WHERE id = entry.id;
    END LOOP;
END $$
"""


def age(dsn: str, rows: int, days: int = 800) -> None:
    """As if the first of them had been written so long ago."""
    with tampering(dsn) as connection:
        connection.execute(_AGED.format(rows=rows, days=days).encode())


def cut(dsn: str, days: int = 730, most: int = 1_000) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT cut_audit_log(%s, %s)", (days, most)).fetchone()
    assert row is not None
    return int(row[0])


def test_what_retention_cut_off_is_no_fault_and_the_rest_is_still_checked(log: str) -> None:
    age(log, 6)
    fourth = verify_rows(log)[3]

    assert (cut(log, most=4), cut(log), cut(log)) == (4, 2, 0)
    with psycopg.connect(log) as connection:
        connection.execute(INSERT, ("someone later",))

    status, report = verify(log)
    assert (status, report["rows"], report["head_row"], report["broken"]) == (0, 5, 11, None)
    assert verify(log, "--after", f"4:{fourth}")[1]["broken"]["row"] == 5
    with tampering(log) as connection:
        connection.execute("DELETE FROM audit_log WHERE id = 7")
    assert verify(log)[1]["broken"]["row"] == 7


def test_the_newest_row_is_never_cut(log: str) -> None:
    age(log, 10)
    assert cut(log) == 9
    with psycopg.connect(log) as connection:
        connection.execute(INSERT, ("someone later",))
    assert verify(log)[1]["rows"] == 2


@pytest.mark.parametrize(
    ("statement", "cuts"),
    [("UPDATE audit_log SET actor = 'x' WHERE id = 4", 3), ("DELETE FROM audit_log WHERE id = 1", 0)],
)
def test_a_row_that_was_touched_is_not_buried(log: str, statement: str, cuts: int) -> None:
    age(log, 8)
    with tampering(log) as connection:
        connection.execute(statement.encode())

    assert (cut(log), cut(log)) == (cuts, 0)

    assert verify(log)[1]["broken"]["row"] == cuts + 1


def test_nothing_young_is_cut_and_nothing_without_its_hash_kept(log: str) -> None:
    age(log, 5, days=40)
    assert cut(log) == 0
    with psycopg.connect(log) as connection, pytest.raises(errors.InvalidParameterValue):
        connection.execute("SELECT cut_audit_log(29, 10)")
    assert cut(log, days=30) == 5
    for table in ("audit_log", "audit_cuts"):
        with psycopg.connect(log) as connection, pytest.raises(errors.RestrictViolation):
            connection.execute(f"DELETE FROM {table}".encode())
