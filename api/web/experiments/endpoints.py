"""The list of experiments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.access.callers import Caller
from api.access.dependencies import require_visitor
from api.access.tokens import Scope
from api.experiments.service import ExperimentService
from api.http.pages import Cursor, read_cursor
from api.http.parts import part
from api.results.glances import Glances
from api.web.experiments.page import STATUSES, Chip, Wanted, ages_of, list_page
from api.web.shared.frame import Frame, answer, root_of, visitor_of
from neonblue.settings import Settings

router = APIRouter(tags=["pages"], include_in_schema=False)

Service = Annotated[ExperimentService, Depends(part(ExperimentService))]
GlancesDep = Annotated[Glances, Depends(part(Glances))]
Configured = Annotated[Settings, Depends(part(Settings))]
Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
Typed = Annotated[str, Query(max_length=200)]

_ROWS = 50
_SECONDS = 0.8
"""So long the list waits for results that nobody has computed yet."""
_RUNNING_AGE, _ENDED_AGE = 30.0, 600.0
"""How old results in the list may be, in seconds."""


@router.get("/experiments")
async def experiments(
    request: Request,
    caller: Reader,
    service: Service,
    glances: GlancesDep,
    settings: Configured,
    state: Chip = Chip.ALL,
    text: Typed = "",
    tag: Typed = "",
    owner: Typed = "",
    cursor: Cursor = None,
) -> Response:
    """Every experiment, those that need a person first."""
    wanted = Wanted(state, text.strip(), tag.strip(), owner.strip())
    filters = wanted.filters | {"status": list(STATUSES[state])}
    found = await service.page(read_cursor(cursor), filters, _ROWS)
    census = await service.census(wanted.filters)
    seen = await glances.of(ages_of(found.items, _RUNNING_AGE, _ENDED_AGE), _SECONDS)
    page = list_page(found.items, seen, census, wanted, (cursor, found.next_cursor), datetime.now(UTC))
    frame = Frame(root_of(request), "Experiments", visitor_of(caller), settings.dagster.page)
    return answer("experiments.html", frame, page=page)
