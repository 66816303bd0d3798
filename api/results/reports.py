"""Kept reports over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.access.dependencies import Viewer
from api.experiments.endpoints import Key
from api.http.parts import part
from api.results.report_service import ReportService
from api.results.schemas import Reports

router = APIRouter(tags=["reports"])

Service = Annotated[ReportService, Depends(part(ReportService))]

Limit = Annotated[int, Query(ge=1, le=1000)]
# A report fetches nothing and runs nothing; a file of another kind put in its place could not either.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@router.get("/v1/experiments/{key}/reports")
async def reports(key: Key, service: Service, _: Viewer, limit: Limit = 100) -> Reports:
    """The experiment's reports and figures, newest first."""
    return await service.of_experiment(key, limit)


@router.get("/v1/reports")
async def overviews(service: Service, _: Viewer, limit: Limit = 100) -> Reports:
    """The overviews over all experiments, newest first."""
    return await service.overviews(limit)


@router.get(
    "/v1/reports/{report_id}", response_class=Response, responses={200: {"content": {"text/html": {}}}}
)
async def report(report_id: UUID, service: Service, _: Viewer) -> Response:
    """The file itself."""
    line, content = await service.file(report_id)
    return Response(
        content,
        media_type=line.media_type,
        headers={
            "content-security-policy": _POLICY,
            "x-content-type-options": "nosniff",
            "cache-control": "private, max-age=31536000, immutable",
            "etag": f'"{line.sha256}"',
        },
    )
