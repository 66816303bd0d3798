"""Kept reports: their list and their files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from obstore.exceptions import BaseError

from api.experiments.service import ExperimentService
from api.http.problems import Problem, found
from api.results.repository import ResultsReader
from api.results.schemas import ReportOut, Reports
from neonblue.results.publish import ReportLine, find_report, list_overviews, list_reports
from neonblue.results.store import ReportStore
from neonblue.settings import Settings

log = structlog.get_logger("api.results")


@dataclass(frozen=True, slots=True)
class ReportService:
    """Every call raises Problem `clickhouse_unavailable`."""

    settings: Settings
    reader: ResultsReader
    experiments: ExperimentService

    async def of_experiment(self, key: str, limit: int) -> Reports:
        """The experiment's files, newest first. Raises Problem `not_found`."""
        experiment = await self.experiments.get(key)
        return _listed(await self.reader.read(lambda client: list_reports(client, experiment.id, limit)))

    async def overviews(self, limit: int) -> Reports:
        """The overviews, newest first."""
        return _listed(await self.reader.read(lambda client: list_overviews(client, limit)))

    async def file(self, report_id: UUID) -> tuple[ReportLine, bytes]:
        """A file with its line. Raises Problem `not_found`, `report_gone` or `reports_unavailable`."""
        line = found(await self.reader.read(lambda client: find_report(client, str(report_id))), "report")
        try:
            return line, await asyncio.to_thread(self._get, line.location)
        except FileNotFoundError:
            raise Problem(410, "report_gone", "The report's file is no longer in the store") from None
        except (BaseError, OSError) as error:
            log.warning("report_store_failed", error=type(error).__name__)
            raise Problem(
                503,
                "reports_unavailable",
                "The reports' store can't be read now",
                headers={"retry-after": "5"},
            ) from None

    def _get(self, location: str) -> bytes:
        return ReportStore.of(self.settings).get(location)


def _listed(lines: Sequence[ReportLine]) -> Reports:
    return Reports(
        items=[
            ReportOut(
                id=line.report_id,
                kind=line.kind,
                title=line.title,
                media_type=line.media_type,
                bytes=line.bytes,
                sha256=line.sha256,
                created_at=line.created_at,
                computed_at=line.computed_at,
                watermark=line.watermark,
                configuration_version=line.configuration_version,
                code_version=line.code_version,
                run_id=line.run_id,
                url=f"/v1/reports/{line.report_id}",
            )
            for line in lines
        ]
    )
