"""What an open page of an experiment is told, so that it changes without being loaded again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.access.callers import Caller, Gate
from api.access.dependencies import require_visitor
from api.access.tokens import Scope
from api.experiments.endpoints import Key
from api.http.parts import part
from api.http.problems import Problem
from api.results.pulses import Pulse, Pulses
from api.web.experiment.page import Ways, drawn_sections
from api.web.shared.frame import root_of

router = APIRouter(tags=["pages"], include_in_schema=False)

Reader = Annotated[Caller, Depends(require_visitor(Scope.VIEWER))]
GateDep = Annotated[Gate, Depends(part(Gate))]

_ASK_SECONDS = 10.0
"""So often it is asked whether the visitor may still look."""


def _room(pulses: Annotated[Pulses, Depends(part(Pulses))]) -> Pulses:
    """Raises Problem 503 where too many pages are open."""
    pulses.check_room()
    return pulses


Room = Annotated[Pulses, Depends(_room)]


@router.get("/experiments/{key}/live", response_class=EventSourceResponse)
async def live(
    request: Request,
    key: Key,
    caller: Reader,
    gate: GateDep,
    pulses: Room,
    version: int = 0,
    anyway: bool = False,
    opened: Annotated[str, Query(alias="open")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Tell the page what has changed.

    Events: `numbers` with the sections that show them, `version` once it is another one, `asof` with the numbers' age
    in seconds, `ended` once nothing comes any more. version: that which the page shows.
    """
    last: Pulse | None = None
    asked = asyncio.get_running_loop().time()
    async for pulse in pulses.of(key):
        if pulse.at - asked > _ASK_SECONDS:
            asked = pulse.at
            if not await _may_look(gate, request, caller):
                break
        if pulse.experiment.version != version:
            version = pulse.experiment.version
            yield ServerSentEvent(event="version", raw_data=str(version))
        if last is None or pulse.numbers != last.numbers:
            sections = drawn_sections(pulse, root_of(request), Ways(anyway=anyway, open=opened))
            yield ServerSentEvent(event="numbers", raw_data=sections)
        if pulse.computed_at is not None:
            told = {"at": pulse.computed_at, "age": round(pulse.age, 1)}
            yield ServerSentEvent(event="asof", raw_data=msgspec.json.encode(told).decode())
        last = pulse
    else:
        if pulses.ended:  # who asks again finds the process that comes after this one
            return
    yield ServerSentEvent(event="ended", raw_data="ended")


async def _may_look(gate: Gate, request: Request, caller: Caller) -> bool:
    try:
        return await gate.goes_on(request, caller)
    except Problem:  # nobody can say so now
        return True
