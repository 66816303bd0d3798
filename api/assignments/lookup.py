"""Looks into PostgreSQL for units that no cache knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from api.assignments.cache import Stored, UnitKey
from api.assignments.repository import read_assignments
from api.identity.links import read_links
from api.postgres.database import Pool

User = tuple[str, str]
"""Unit type and id."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Reads on the connections of calls that are not hot."""

    pool: Pool

    async def read(self, units: Sequence[UnitKey]) -> tuple[dict[UnitKey, Stored], dict[User, str]]:
        """Stored assignments of these units, and the persons whose anonymous ids are among them."""
        async with self.pool.connection() as connection:
            stored = await read_assignments(connection, units)
            return stored, await read_links(connection, {unit[1:] for unit in units})

    async def links(self, users: Collection[User]) -> dict[User, str]:
        """The person of each anonymous id. Raises psycopg.Error."""
        async with self.pool.connection() as connection:
            return await read_links(connection, users)
