"""Results over HTTP. Every table also as CSV, Parquet or Arrow, by the Accept header."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import AwareDatetime

from api.access.dependencies import Viewer
from api.experiments.endpoints import Key
from api.http.parts import part
from api.results.schemas import Health, Part, Results, Segments, Snapshots, TimeSeries
from api.results.service import ResultsService
from api.results.tables import RESPONSES, Format, table, wanted
from neonblue.analysis.answer import ResultItem
from neonblue.analysis.over_time import DayEffect
from neonblue.analysis.segmentation import SegmentEffect
from neonblue.results.parts import (
    AppVersionItem,
    CohortItem,
    FunnelItem,
    Interval,
    JourneyItem,
    RevenueItem,
    SeriesItem,
    StageItem,
    read_app_versions,
    read_cohorts,
    read_funnel,
    read_journeys,
)

router = APIRouter(prefix="/v1/experiments", tags=["results"])

Service = Annotated[ResultsService, Depends(part(ResultsService))]

Accept = Annotated[str | None, Header(include_in_schema=False)]
AsOf = Annotated[
    AwareDatetime | None, Query(description="The result that was published last by then, as it was published")
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Item = TypeVar("Item")


class Shown(StrEnum):
    """Which of the two tables of a time series is written as CSV, Parquet or Arrow."""

    EVENTS = "events"
    EFFECTS = "effects"


@router.get("/{key}/results", response_model=Results, responses=RESPONSES)
async def results(
    key: Key, service: Service, _: Viewer, as_of: AsOf = None, accept: Accept = None
) -> Results | Response:
    """Computed now from what has arrived; with `as_of` the stored snapshot of that time, never a recomputation."""
    form = wanted(accept)
    found = await (service.live(key) if as_of is None else service.published(key, as_of))
    if form is Format.JSON:
        return found
    return table(form, ResultItem, found.items, _stamp(found), f"{key}-results")


@router.get("/{key}/results/snapshots")
async def snapshots(key: Key, service: Service, _: Viewer, limit: Limit = 100) -> Snapshots:
    """What was published, newest first."""
    return await service.snapshots(key, limit)


@router.get("/{key}/timeseries", response_model=TimeSeries, responses=RESPONSES)
async def timeseries(
    key: Key,
    service: Service,
    _: Viewer,
    interval: Interval = Interval.DAY,
    of: Shown = Shown.EVENTS,
    accept: Accept = None,
) -> TimeSeries | Response:
    """Events, exposures and values per UTC hour or day; by day also each metric's difference so far."""
    form = wanted(accept)
    found = await service.series(key, interval)
    if form is Format.JSON:
        return found
    if of is Shown.EFFECTS:
        return table(form, DayEffect, found.effects, _stamp(found), f"{key}-effects")
    return table(form, SeriesItem, found.items, _stamp(found), f"{key}-timeseries")


@router.get("/{key}/funnel", response_model=Part[FunnelItem], responses=RESPONSES)
async def funnel(key: Key, service: Service, _: Viewer, accept: Accept = None) -> Part[FunnelItem] | Response:
    """Units per step, in order, from the first exposure on."""
    form = wanted(accept)
    return _written(form, FunnelItem, await service.part(key, read_funnel), f"{key}-funnel")


@router.get("/{key}/journeys", response_model=Part[JourneyItem], responses=RESPONSES)
async def journeys(
    key: Key, service: Service, _: Viewer, limit: Limit = 50, accept: Accept = None
) -> Part[JourneyItem] | Response:
    """The paths most units went, of each variant at most `limit`."""
    form = wanted(accept)
    found = await service.part(key, lambda warehouse, experiment: read_journeys(warehouse, experiment, limit))
    return _written(form, JourneyItem, found, f"{key}-journeys")


@router.get("/{key}/app-versions", response_model=Part[AppVersionItem], responses=RESPONSES)
async def app_versions(
    key: Key, service: Service, _: Viewer, limit: Limit = 50, accept: Accept = None
) -> Part[AppVersionItem] | Response:
    """Conversions by the version of the app that a unit had at first, of each variant the `limit` most common."""
    form = wanted(accept)
    found = await service.part(
        key, lambda warehouse, experiment: read_app_versions(warehouse, experiment, limit)
    )
    return _written(form, AppVersionItem, found, f"{key}-app-versions")


@router.get("/{key}/cohorts", response_model=Part[CohortItem], responses=RESPONSES)
async def cohorts(
    key: Key, service: Service, _: Viewer, accept: Accept = None
) -> Part[CohortItem] | Response:
    """Retention by day of the first exposure."""
    form = wanted(accept)
    return _written(form, CohortItem, await service.part(key, read_cohorts), f"{key}-cohorts")


@router.get("/{key}/segments", response_model=Segments, responses=RESPONSES)
async def segments(key: Key, service: Service, _: Viewer, accept: Accept = None) -> Segments | Response:
    """Primary metrics in segments of the attributes at assignment; p-values corrected over all of them."""
    form = wanted(accept)
    return _written(form, SegmentEffect, await service.segments(key), f"{key}-segments")


@router.get("/{key}/revenue", response_model=Part[RevenueItem], responses=RESPONSES)
async def revenue(
    key: Key, service: Service, _: Viewer, accept: Accept = None
) -> Part[RevenueItem] | Response:
    """Revenue within each metric's window, and what the variant brought beyond control's rate."""
    form = wanted(accept)
    return _written(form, RevenueItem, await service.revenue(key), f"{key}-revenue")


@router.get("/{key}/health", response_model=Health, responses=RESPONSES)
async def health(key: Key, service: Service, _: Viewer, accept: Accept = None) -> Health | Response:
    """Whether the numbers can be trusted: the checks, and where units are lost on the way into the analysis."""
    form = wanted(accept)
    return _written(form, StageItem, await service.health(key), f"{key}-health")


Written = TypeVar("Written", bound=Part[Any])


def _written(form: Format, kind: type[Any], found: Written, name: str) -> Written | Response:
    return found if form is Format.JSON else table(form, kind, found.items, _stamp(found), name)


def _stamp(found: Results | Part[Any]) -> dict[str, datetime | int | str | None]:
    return {
        "computed_at": found.computed_at,
        "watermark": found.watermark,
        "configuration_version": found.configuration_version,
        "code_version": found.code_version,
    }
