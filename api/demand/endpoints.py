"""How often keys are asked for, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.access.dependencies import Viewer
from api.demand.repository import KEPT_DAYS
from api.demand.schemas import EvaluationsOut
from api.demand.service import Demand
from api.fields import Instant
from api.fields import Key as KeyText
from api.http.parts import part

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Service = Annotated[Demand, Depends(part(Demand))]
Key = Annotated[KeyText, Path(examples=["checkout-2026"])]
Since = Annotated[
    Instant | None, Query(description="In which hour the span begins; absent: so many hours before now")
]
Hours = Annotated[
    int, Query(ge=1, le=24 * KEPT_DAYS, description=f"How long the span is, at most {KEPT_DAYS} days")
]


@router.get("/{key}/evaluations")
async def show_evaluations(
    key: Key, service: Service, _: Viewer, since: Since = None, hours: Hours = 168
) -> EvaluationsOut:
    """How often the key was asked for, by hour, variant and reason. The last five seconds are to come.

    Counted is each answer to who names the experiment, in OpenFeature's protocol too, and each exposure that comes as
    an event. A look at all experiments or flags at once is no use of each.
    """
    return await service.of(key, since, hours)
