"""Everything that a person is in, for whoever reads it; and a trial of what it would get, which stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.assignments.repository import OfPerson, read_of_person
from api.assignments.schemas import PersonAssignments
from api.assignments.service import AssignmentService
from api.assignments.together import put_together
from api.audit import Actor
from api.experiments.registry import Registry
from api.http.problems import Problem
from api.identity.holdings import anonymous_ids
from api.identity.identify import Identify
from api.identity.links import lock_ids, read_links
from api.postgres.database import Pool
from api.users import repository as users
from api.users.reading import Reading, record_reading
from api.users.repository import Person
from neonblue.contract.requests import AssignmentRequest


@dataclass(frozen=True, slots=True)
class _Known:
    """What is held on a person. attributes: None where it is not known. held: whether anything is."""

    person: str
    linked: bool
    stored: list[OfPerson]
    attributes: dict[str, Any] | None
    held: bool


@dataclass(frozen=True, slots=True)
class PersonReader:
    """Each reading of a person has its entry in the audit log. Raises Problem 503 where it can't be written."""

    pool: Pool
    registry: Registry
    assignments: AssignmentService
    identify: Identify

    async def everything(self, unit_type: str, user_id: str, actor: Actor) -> PersonAssignments:
        """Every experiment and release that it is in; what would be answered now: by the attributes that are known.

        Raises Problem `not_found` where nothing is held on it.
        """
        known = await self._known(unit_type, user_id, actor)
        if not known.held:
            raise Problem(404, "not_found", "Nothing is held on such a user")
        return await self._told(unit_type, user_id, known, known.attributes, everything=False)

    async def trial(
        self, unit_type: str, user_id: str, attributes: Mapping[str, Any], actor: Actor
    ) -> PersonAssignments:
        """Every experiment that asks for such units, as it would be answered with these attributes alone."""
        known = await self._known(unit_type, user_id, actor)
        return await self._told(unit_type, user_id, known, attributes, everything=True)

    async def _known(self, unit_type: str, user_id: str, actor: Actor) -> _Known:
        asked = self.identify(user_id)
        async with self.pool.transaction() as connection:
            links = await read_links(connection, {(unit_type, asked)})
            # No link of them is made and no erasure of them begins before this is written down.
            await lock_ids(connection, unit_type, list({asked, *links.values()}))
            links = await read_links(connection, {(unit_type, asked)})
            person = links.get((unit_type, asked), asked)
            ids = [person, *await anonymous_ids(connection, unit_type, person)]
            stored = await read_of_person(connection, unit_type, ids)
            row = await users.read(connection, Person(unit_type, person))
            held = bool(stored or links or row)
            if held:
                for one in sorted({asked, person}):
                    await record_reading(connection, actor, Person(unit_type, one), Reading.ASSIGNMENTS)
        return _Known(person, bool(links), stored, None if row is None else row.attributes, held)

    async def _told(
        self,
        unit_type: str,
        user_id: str,
        known: _Known,
        attributes: Mapping[str, Any] | None,
        *,
        everything: bool,
    ) -> PersonAssignments:
        request = AssignmentRequest(
            user_id=user_id, unit_type=unit_type, attributes=dict(attributes or {}), expose=False
        )
        answers = await self.assignments.on_trial().answer([request], unused=True, trial=True)
        live = (self.registry.find(answer.experiment_id or 0) for answer in answers)
        statuses = {one.experiment_id: one.status for one in live if one is not None}
        return PersonAssignments(
            user_id=user_id,
            unit_type=unit_type,
            linked_to=known.person if known.linked else None,
            items=put_together(known.stored, answers, statuses, known.person, everything=everything),
        )
