"""Results of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.experiments.service import ExperimentService
from api.http.problems import Problem
from api.results.repository import read_newest
from api.results.schemas import Results
from neonblue.settings import ClickHouseSettings

log = structlog.get_logger("api.results")


@dataclass(frozen=True, slots=True)
class ResultsService:
    clickhouse: ClickHouseSettings
    experiments: ExperimentService

    async def newest(self, key: str) -> Results:
        """The newest run's results. Raises Problem `not_found` or `clickhouse_unavailable`."""
        experiment = await self.experiments.get(key)
        try:
            rows = await read_newest(self.clickhouse, experiment.id)
        except (ClickHouseError, OSError) as error:
            log.warning("clickhouse_failed", error=type(error).__name__)
            raise Problem(
                503,
                "clickhouse_unavailable",
                "The results can't be read now",
                headers={"retry-after": "5"},
            ) from None
        return Results(experiment=key, experiment_id=experiment.id, items=[_plain(row) for row in rows])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has neither NaN nor infinity: what is not a number is null, and the row's status says why."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else value
