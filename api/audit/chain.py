"""Whether the log is as it was written: each row's hash is over the hash before it and the row itself.

The database computes the hashes as it inserts (`audit_chain` in the first migration); this computes them anew
without it, so that a change of the table and of that function together is found as well.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256

from api.database import Connection

_ROWS = """
SELECT id, (extract(epoch FROM at) * 1000000)::bigint::text, actor, address, request_id, action, object_type,
    object_id, before::text, after::text, hash
FROM audit_log ORDER BY id
"""
_ROWS_AT_ONCE = 1_000

Fields = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as stored: its place, its fields in the hash's order (the place first), its hash."""

    id: int
    fields: Fields
    hash: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not follow from those before it."""

    row_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain holds. `head`: the hash of its last good row, which a later check can start from."""

    rows: int
    head: bytes
    broken: Broken | None


class Chain:
    """Takes rows in order and says where they stop to follow."""

    def __init__(self) -> None:
        self.rows = 0
        self.head = b""

    def follow(self, row: Row) -> Broken | None:
        """The next row; what is wrong with it, if anything."""
        if row.id != self.rows + 1:
            return Broken(self.rows + 1, f"is missing: the row {row.id} stands in its place")
        if row.hash != link(self.head, row.fields):
            return Broken(row.id, "was changed, or the row before it was changed along with its hash")
        self.rows, self.head = row.id, row.hash
        return None


def link(previous: bytes, fields: Fields) -> bytes:
    """A row's hash: SHA-256 over the hash before it and each field as `length:text;`, or `-;` for none."""
    return sha256(previous + b"".join(map(_canonical, fields))).digest()


async def verify(connection: Connection, expected: bytes | None = None) -> Verdict:
    """Check the whole log. `expected`: a head written down before, which must still be part of the chain.

    Raises psycopg.Error.
    """
    chain, seen = Chain(), expected is None
    async with aclosing(_stored(connection)) as rows:
        async for row in rows:
            broken = chain.follow(row)
            if broken is not None:
                return Verdict(chain.rows, chain.head, broken)
            seen = seen or chain.head == expected
    if not seen:
        reason = (
            "is missing: no row has the hash that was written down; rows are gone, or all were written anew"
        )
        return Verdict(chain.rows, chain.head, Broken(chain.rows + 1, reason))
    return Verdict(chain.rows, chain.head, None)


async def _stored(connection: Connection) -> AsyncGenerator[Row]:
    async with connection.transaction(), connection.cursor("audit") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(_ROWS.encode())
        async for row in cursor:
            yield Row(row[0], (str(row[0]), *row[1:-1]), bytes(row[-1]))


def _canonical(field: str | None) -> bytes:
    if field is None:
        return b"-;"
    text = field.encode()
    return b"%d:%s;" % (len(text), text)
