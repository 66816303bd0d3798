"""Stored assignments over HTTP. Assigning itself is among the hot calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.access.dependencies import ServicesDep, require
from api.access.tokens import Scope
from api.assignments.repository import read_of_user
from api.assignments.schemas import StoredAssignment, StoredAssignments
from api.audit import Actor
from api.identity.links import read_links
from api.users.reading import Reading, hold_still, record_reading
from api.users.repository import Person
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE

router = APIRouter(prefix="/v1/assignments", tags=["assignments"])

Viewer = Annotated[Actor, Depends(require(Scope.VIEWER))]
Id = Annotated[str, Query(min_length=1, max_length=KEY_LENGTH, pattern=r"^[^\x00-\x1f]+$")]


@router.get("")
async def stored(
    services: ServicesDep, actor: Viewer, user_id: Id, unit_type: Id = DEFAULT_UNIT_TYPE
) -> StoredAssignments:
    """What is stored of a unit, in every experiment, whatever its state. Assigns nothing."""
    unit = (unit_type, services.users.identify(user_id))
    async with services.pool.transaction() as connection:
        await hold_still(connection, Person(*unit))
        rows = await read_of_user(connection, *unit)
        links = await read_links(connection, {unit})
        if rows or links:
            await record_reading(connection, actor, Person(*unit), Reading.ASSIGNMENTS)
    fields = ("experiment", "experiment_id", "variant_key", "version", "assigned_at", "exposed_at")
    return StoredAssignments(
        user_id=user_id,
        unit_type=unit_type,
        linked_to=links.get(unit),
        items=[StoredAssignment.model_validate(dict(zip(fields, row, strict=True))) for row in rows],
    )
