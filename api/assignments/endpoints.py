"""Stored assignments over HTTP. Assigning itself is among the hot calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.access.dependencies import Viewer
from api.assignments.schemas import StoredAssignments
from api.assignments.stored import AssignmentReader
from api.http.parts import part
from neonblue.contract.limits import KEY_LENGTH
from neonblue.contract.requests import DEFAULT_UNIT_TYPE

router = APIRouter(prefix="/v1/assignments", tags=["assignments"])

Reader = Annotated[AssignmentReader, Depends(part(AssignmentReader))]
Id = Annotated[str, Query(min_length=1, max_length=KEY_LENGTH, pattern=r"^[^\x00-\x1f]+$")]


@router.get("")
async def stored(
    reader: Reader, actor: Viewer, user_id: Id, unit_type: Id = DEFAULT_UNIT_TYPE
) -> StoredAssignments:
    """What is stored of a unit, in every experiment, whatever its state. Assigns nothing."""
    return await reader.of_unit(unit_type, user_id, actor)
