"""Whether the log is as it was written: each row's hash is over the hash before it and the row itself.

The database computes the hashes as it inserts (`audit_chain` in the first migration); this computes them anew
without it, so that a change of the table and of that function together is found as well.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256

from api.postgres.database import Connection

_ROWS = """
SELECT id, (extract(epoch FROM at) * 1000000)::bigint::text, actor, address, request_id, action, object_type,
    object_id, before::text, after::text, hash
FROM audit_log WHERE id > %s ORDER BY id
"""
_CUT = "SELECT row_id, hash FROM audit_cuts ORDER BY row_id DESC LIMIT 1"
_ROWS_AT_ONCE = 1_000

Fields = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as stored: its place, its fields in the hash's order (the place first), its hash."""

    id: int
    fields: Fields
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A row that was checked before: the log may go on from it where the rows up to it were moved elsewhere."""

    row_id: int
    hash: bytes


NOTHING = Head(0, b"")
"""Before the first row."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not follow from those before it."""

    row_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain holds. `rows`: how many were checked; `head`: the last good one, for a later check."""

    rows: int
    head: Head
    broken: Broken | None


class Chain:
    """Takes rows in order and says where they stop to follow. `after`: the row that the first must follow."""

    def __init__(self, after: Head = NOTHING) -> None:
        self.rows = 0
        self.head = after

    def follow(self, row: Row) -> Broken | None:
        """The next row; what is wrong with it, if anything."""
        following = self.head.row_id + 1
        if row.id != following:
            return Broken(following, f"is missing: the row {row.id} stands in its place")
        if row.hash != link(self.head.hash, row.fields):
            return Broken(row.id, "was changed, or the row before it was changed along with its hash")
        self.rows, self.head = self.rows + 1, Head(row.id, row.hash)
        return None


def link(previous: bytes, fields: Fields) -> bytes:
    """A row's hash: SHA-256 over the hash before it and each field as `length:text;`, or `-;` for none."""
    return sha256(previous + b"".join(map(_canonical, fields))).digest()


async def beginning(connection: Connection) -> Head:
    """The last row that retention let go: the log goes on from it. `NOTHING` where all is there."""
    row = await (await connection.execute(_CUT)).fetchone()
    return NOTHING if row is None else Head(row[0], bytes(row[1]))


async def verify(connection: Connection, expected: bytes | None = None, after: Head | None = None) -> Verdict:
    """Check the whole log, or what follows the row `after`, whether that is still there or not.

    The whole log begins where retention has cut it.

    `expected`: the hash of a head written down before, which must still be part of the chain. Raises psycopg.Error.
    """
    async with connection.transaction():
        # Retention may cut meanwhile: its cut and the rows are read as of one moment.
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return await _follow(connection, expected, await beginning(connection) if after is None else after)


async def _follow(connection: Connection, expected: bytes | None, after: Head) -> Verdict:
    chain, seen = Chain(after), expected is None or expected == after.hash
    async with aclosing(_stored(connection, after.row_id)) as rows:
        async for row in rows:
            broken = chain.follow(row)
            if broken is not None:
                return Verdict(chain.rows, chain.head, broken)
            seen = seen or chain.head.hash == expected
    if not seen:
        reason = (
            "is missing: no row has the hash that was written down; rows are gone, or all were written anew"
        )
        return Verdict(chain.rows, chain.head, Broken(chain.head.row_id + 1, reason))
    return Verdict(chain.rows, chain.head, None)


async def _stored(connection: Connection, after: int) -> AsyncGenerator[Row]:
    async with connection.transaction(), connection.cursor("audit") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(_ROWS.encode(), (after,))
        async for row in cursor:
            yield Row(row[0], (str(row[0]), *row[1:-1]), bytes(row[-1]))


def _canonical(field: str | None) -> bytes:
    if field is None:
        return b"-;"
    text = field.encode()
    return b"%d:%s;" % (len(text), text)
