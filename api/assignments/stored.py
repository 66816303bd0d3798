"""What is stored of a unit, for whoever reads it: each reading of a person has its entry in the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from api.assignments.repository import read_of_user
from api.assignments.schemas import StoredAssignment, StoredAssignments
from api.audit import Actor
from api.identity.identify import Identify
from api.identity.links import read_links
from api.postgres.database import Pool
from api.users.reading import Reading, hold_still, record_reading
from api.users.repository import Person

_FIELDS = ("experiment", "experiment_id", "variant_key", "version", "assigned_at", "exposed_at")


@dataclass(frozen=True, slots=True)
class AssignmentReader:
    pool: Pool
    identify: Identify

    async def of_unit(self, unit_type: str, user_id: str, actor: Actor) -> StoredAssignments:
        """Of every experiment, whatever its state. Raises Problem 503 where the entry can't be written."""
        unit = (unit_type, self.identify(user_id))
        async with self.pool.transaction() as connection:
            await hold_still(connection, Person(*unit))
            rows = await read_of_user(connection, *unit)
            links = await read_links(connection, {unit})
            if rows or links:
                await record_reading(connection, actor, Person(*unit), Reading.ASSIGNMENTS)
        return StoredAssignments(
            user_id=user_id,
            unit_type=unit_type,
            linked_to=links.get(unit),
            items=[StoredAssignment.model_validate(dict(zip(_FIELDS, row, strict=True))) for row in rows],
        )
