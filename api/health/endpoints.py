"""Whether the API is alive, whether it can work, and its metrics."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.answering import Answered
from api.edge.services import Services
from api.health.schemas import Alive, Readiness
from api.http.parts import part

router = APIRouter(tags=["health"])

Everything = Annotated[Services, Depends(part(Services))]


@router.get("/healthz", responses={503: {"model": Alive}})
async def healthz(services: Everything, response: Response) -> Alive:
    """The process lives. 503: it will not get over what is wrong with it, and must be started again."""
    if hopeless := services.background_hopeless:
        response.status_code = 503
        return Alive(status=f"down: {', '.join(hopeless)}")
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(services: Everything, response: Response) -> Readiness:
    """Whether events can be stored, and what is down. Valkey, the replication slot, the stream and work in the
    background that no event needs may be: then it is slower or something stands still, but nothing is lost. `disk`:
    `full` means that events are refused for lack of room. PostgreSQL and Valkey have a second and a half to answer,
    and are asked once a second for all who ask here.
    """
    readiness = await _look(services)
    if not readiness.ready:
        response.status_code = 503
    return readiness


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _look(services: Services) -> Readiness:
    postgres, valkey = await services.answering.look()
    answers = postgres is Answered.OK
    down = services.background_down
    return Readiness(
        ready=answers and services.ready and not services.disk.full and not services.vital_down,
        components={
            "postgres": postgres.value if not answers else "ok" if services.writable else "starting",
            "experiments": "ok" if services.registry.loaded else "not loaded",
            "valkey": valkey.value,
            "replication_slot": "ok" if services.pipeline.slot_present else "missing",
            "stream": services.pipeline.state,
            "disk": services.disk.state,
            "background": f"down: {', '.join(down)}" if down else "ok",
        },
        pipeline_lag_bytes=services.pipeline.lag_bytes,
    )
