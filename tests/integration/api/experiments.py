"""Experiments written into PostgreSQL, as assignment reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg

from tests.integration.api.conftest import Server

CHANNEL = "neonblue_experiments"
_FURTHER = {"action": "'test'", "difference": "'{}'"}
# What is read of it.
_INSTANT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_SNAPSHOT = f"""
SELECT jsonb_build_object(
    'status', status, 'received_at', {_INSTANT.format("clock_timestamp()")},
    'concluded_at', {_INSTANT.format("coalesce(concluded_at, clock_timestamp())")},
    'enrolment', to_jsonb(e) -> 'enrolment', 'allocation', allocation,
    'variants', (SELECT jsonb_agg(jsonb_build_object('key', key, 'active', active)) FROM variants
                 WHERE experiment_id = e.id),
    'holdouts', (SELECT coalesce(jsonb_agg(key), '[]') FROM holdouts
                 WHERE e.holdouts IS NULL OR key = ANY (e.holdouts))
)
"""


@dataclass
class Written:
    """A running experiment. Changes are seen by the API at its next look, as those of another process are."""

    server: Server
    key: str
    number: int
    columns: dict[str, Any] = field(default_factory=dict)

    def change(self, **columns: Any) -> None:
        """A new version with these columns."""
        with psycopg.connect(self.server.dsn) as connection:
            for name, value in columns.items():
                connection.execute(
                    f"UPDATE experiments SET {name} = %s WHERE id = %s".encode(), (value, self.number)
                )
            connection.execute("UPDATE experiments SET version = version + 1 WHERE id = %s", (self.number,))
            _keep_version(connection, self.number)

    def drop(self, variant: str) -> None:
        with psycopg.connect(self.server.dsn) as connection:
            connection.execute(
                "UPDATE variants SET active = false WHERE experiment_id = %s AND key = %s",
                (self.number, variant),
            )
        self.change()

    def force(self, user_id: str, variant: str) -> None:
        """Without a new version."""
        with psycopg.connect(self.server.dsn) as connection:
            connection.execute(
                "INSERT INTO forced_variants (experiment_id, unit_type, user_id, variant_key) "
                "SELECT id, unit_type, %s, %s FROM experiments WHERE id = %s",
                (user_id, variant, self.number),
            )


def write(server: Server, payloads: dict[str, Any] | None = None, **columns: Any) -> Written:
    """A running experiment of two equal arms, `a` (the control) and `b`, which respects no holdout of other tests."""
    key = f"experiment-{uuid4()}"
    values: dict[str, Any] = {"key": key, "salt": uuid4().hex, "status": "running", "holdouts": []} | columns
    names = ", ".join(values)
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(
            f"INSERT INTO experiments ({names}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id".encode(),
            list(values.values()),
        ).fetchone()
        assert row is not None
        for position, variant in enumerate(("a", "b")):
            payload = (payloads or {}).get(variant)
            connection.execute(
                "INSERT INTO variants (experiment_id, key, weight, is_control, position, payload) "
                "VALUES (%s, %s, 1, %s, %s, %s)",
                (row[0], variant, position == 0, position, None if payload is None else json.dumps(payload)),
            )
        _keep_version(connection, row[0])
    return Written(server, key, row[0], dict(values))


def layer(server: Server) -> tuple[int, str]:
    """A new layer's id and salt."""
    salt = uuid4().hex
    return _insert(server, "INSERT INTO layers (key, salt) VALUES (%s, %s) RETURNING id", salt, salt), salt


def holdout(server: Server, share: int) -> tuple[str, str]:
    """A new holdout's key and salt."""
    salt = uuid4().hex
    _insert(
        server, "INSERT INTO holdouts (key, salt, share) VALUES (%s, %s, %s) RETURNING id", salt, salt, share
    )
    return salt, salt


def _insert(server: Server, statement: str, *values: Any) -> int:
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
        assert row is not None
        number: int = row[0]
        return number


def _keep_version(connection: psycopg.Connection[Any], number: int) -> None:
    """In `experiment_versions`, whatever further columns it has."""
    columns = {
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'experiment_versions'"
        )
    }
    extra = {name: value for name, value in _FURTHER.items() if name in columns}
    names, values = ("".join(f", {item}" for item in items) for items in (extra, extra.values()))
    connection.execute(
        f"""INSERT INTO experiment_versions (experiment_id, version, snapshot, created_by{names})
        SELECT id, version, ({_SNAPSHOT}), 'test'{values}
        FROM experiments AS e WHERE id = %s""".encode(),
        (number,),
    )
    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(number)))
