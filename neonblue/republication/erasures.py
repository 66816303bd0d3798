"""Erasures come first, and whole: nobody who was erased may come back with the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.contract.instants import microseconds
from neonblue.reconciliation.compare import Kind
from neonblue.republication import outbox, rebuilt, warehouse
from neonblue.republication.warehouse import ErasedPerson

_OPEN = """
SELECT id::text, unit_type, user_id, person, person_key, erased_at, arrived_at FROM erasures
WHERE person IS NOT NULL ORDER BY erased_at, id FOR SHARE
"""


class ErasureRow(NamedTuple):
    """An erasure that is not closed."""

    id: str
    unit_type: str
    user_id: str | None
    person: bytes
    person_key: int | None
    erased_at: datetime
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Erasures:
    """published: as messages. restored: put back into ClickHouse, which had known them. unknown: ClickHouse has lost
    them, and no key of theirs was kept. Nothing of anybody who is erased is in PostgreSQL, so nothing comes back."""

    published: int
    restored: int
    unknown: int


def publish(connection: psycopg.Connection, client: Client) -> Erasures:
    """Tell the stream of those that have not arrived, and ClickHouse of those that it has lost.

    One that is closed meanwhile is taken off ClickHouse's list again.
    An erasure that has arrived is not sent with its id again: the id would be kept for longer than its receipt says.
    """
    there = warehouse.erased(client)
    with connection.transaction():
        rows = [_row(*row) for row in connection.execute(_OPEN)]
        lacking = [row for row in rows if _name(row) not in there]
        named = [
            rebuilt.erasure(row.id, row.unit_type, row.user_id, row.erased_at)
            for row in lacking
            if row.user_id is not None and not _known_by_key(row)
        ]
        outbox.write(connection, rebuilt.packed(Kind.ERASURES, named, batch=False))
        keyed = [
            ErasedPerson(row.unit_type, row.person, row.person_key, row.erased_at)
            for row in lacking
            if row.person_key is not None and _known_by_key(row)
        ]
    warehouse.restore(client, keyed)  # not under the lock, for which erasures wait
    with connection.transaction():
        still_open = {_name(_row(*row)) for row in connection.execute(_OPEN)}
    closed = [one for one in keyed if one.name not in still_open]
    warehouse.withdraw(client, closed)
    restored = len(keyed) - len(closed)
    return Erasures(len(named), restored, len(lacking) - len(named) - len(keyed))


def _known_by_key(row: ErasureRow) -> bool:
    return row.arrived_at is not None and row.person_key is not None


def _name(row: ErasureRow) -> tuple[str, str, int]:
    return row.unit_type, row.person.hex().upper(), microseconds(row.erased_at)


def _row(
    identifier: str, unit_type: str, user_id: str | None, person: bytes, key: object, *times: datetime
) -> ErasureRow:
    erased_at, arrived_at = times
    return ErasureRow(
        identifier,
        unit_type,
        user_id,
        bytes(person),
        None if key is None else int(str(key)),
        erased_at,
        arrived_at,
    )
