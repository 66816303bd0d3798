"""The metric catalogue over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from api.access.dependencies import Editor, Viewer
from api.fields import Key, Name, SearchText
from api.fields import Tag as TagText
from api.http.etags import IfMatch, tagged
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part
from api.metric_catalogue.definitions import MetricType
from api.metric_catalogue.schemas import (
    CatalogueMetricIn,
    CatalogueMetricOut,
    MetricPage,
    MetricPatch,
    MetricVersions,
    NewMetricVersion,
)
from api.metric_catalogue.service import MetricCatalogue

router = APIRouter(prefix="/v1/metrics", tags=["metrics"])

Catalogue = Annotated[MetricCatalogue, Depends(part(MetricCatalogue))]

KeyPath = Annotated[Key, Path(examples=["revenue_14d"])]


@router.post("", status_code=201)
async def create_metric(
    new: CatalogueMetricIn, catalogue: Catalogue, actor: Editor, response: Response
) -> CatalogueMetricOut:
    """Add a metric to the catalogue."""
    metric = await catalogue.create(new, actor)
    return tagged(response, metric, metric.revision)


@router.get("")
async def list_metrics(
    catalogue: Catalogue,
    _: Viewer,
    cursor: Cursor = None,
    limit: Limit = 50,
    type: Annotated[MetricType | None, Query()] = None,  # noqa: A002 - the field's name
    tag: Annotated[TagText | None, Query()] = None,
    owner: Annotated[Name | None, Query()] = None,
    text: SearchText = None,
) -> MetricPage:
    """Metrics with their newest definitions, newest first."""
    filters = {"type": type, "tag": tag, "owner": owner, "text": text}
    return await catalogue.page(read_cursor(cursor), filters, limit)


@router.get("/{key}")
async def get_metric(key: KeyPath, catalogue: Catalogue, _: Viewer, response: Response) -> CatalogueMetricOut:
    """One metric with its newest definition."""
    metric = await catalogue.get(key)
    return tagged(response, metric, metric.revision)


@router.patch("/{key}")
async def change_metric(
    key: KeyPath,
    patch: MetricPatch,
    catalogue: Catalogue,
    actor: Editor,
    response: Response,
    if_match: IfMatch = None,
) -> CatalogueMetricOut:
    """Change a metric. While experiments refer to it, what it means stays: POST a new version."""
    metric = await catalogue.patch(key, patch, if_match, actor)
    return tagged(response, metric, metric.revision)


@router.get("/{key}/versions")
async def list_metric_versions(key: KeyPath, catalogue: Catalogue, _: Viewer) -> MetricVersions:
    """What the metric meant, newest version first."""
    return await catalogue.versions(key)


@router.post("/{key}/versions", status_code=201)
async def create_metric_version(
    key: KeyPath, new: NewMetricVersion, catalogue: Catalogue, actor: Editor, response: Response
) -> CatalogueMetricOut:
    """Give the metric a new meaning. Experiments keep the version they refer to."""
    metric = await catalogue.add_version(key, new, actor)
    return tagged(response, metric, metric.revision)
