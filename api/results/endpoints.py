"""Results over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from api.experiments.endpoints import Key
from api.http.dependencies import ServicesDep, Viewer
from api.results.schemas import Results
from api.results.service import ResultsService

router = APIRouter(prefix="/v1/experiments", tags=["results"])


@router.get("/{key}/results")
async def newest(key: Key, services: ServicesDep, _: Viewer) -> Results:
    """The newest results; none before the first significance test."""
    return await ResultsService(services.settings.clickhouse, services.experiments).newest(key)
