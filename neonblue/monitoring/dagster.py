"""Dagster's runs, checks and schedules, by its page's GraphQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import Any

import httpx
import msgspec

from neonblue.monitoring.samples import Family, Sample
from neonblue.settings import DagsterSettings

RUNS = Family("neonblue_dagster_runs", "Runs that Dagster keeps, by status", ("status",))
FAILED_CHECKS = Family(
    "neonblue_dagster_failed_checks", "Checks that failed on the newest data, by severity", ("severity",)
)
LAST_SUCCESS = Family(
    "neonblue_dagster_schedule_last_success_timestamp_seconds",
    "When the last run of this schedule that succeeded ended; 0: none has",
    ("schedule",),
)
SINCE = Family(
    "neonblue_dagster_schedule_seen_since_timestamp_seconds",
    "Since when the exporter has seen this schedule switched on",
    ("schedule",),
)
PERIOD = Family(
    "neonblue_dagster_schedule_period_seconds", "From one tick of this schedule to the next", ("schedule",)
)

STATUSES = ("QUEUED", "STARTING", "STARTED", "SUCCESS", "FAILURE", "CANCELED")
SEVERITIES = ("WARN", "ERROR")
_FAILED = ("FAILED", "EXECUTION_FAILED")
_SECONDS = 30.0

_COUNTS = "\n".join(
    f"{status}: runsOrError(filter: {{statuses: [{status}]}}) {{ ... on Runs {{ count }} }}"
    for status in STATUSES
)
OVERVIEW = f"""
{{
  {_COUNTS}
  repositoriesOrError {{ ... on RepositoryConnection {{ nodes {{ schedules {{
    name scheduleState {{ status }} futureTicks(limit: 2) {{ results {{ timestamp }} }}
  }} }} }} }}
  assetNodes {{ assetChecksOrError {{ ... on AssetChecks {{ checks {{
    executionForLatestMaterialization {{ status evaluation {{ severity }} }}
  }} }} }} }}
}}
"""
_LAST = (
    'runsOrError(limit: 1, filter: {{statuses: [SUCCESS], tags: [{{key: "dagster/schedule_name", value: {name}}}]}}) '
    "{{ ... on Runs {{ results {{ endTime }} }} }}"
)


def successes(schedules: Iterable[str]) -> str:
    """A query for the last successful run of each schedule, under the names ``s0``, ``s1``, …"""
    asked = (
        f"s{at}: {_LAST.format(name=msgspec.json.encode(name).decode())}" for at, name in enumerate(schedules)
    )
    return "{ " + "\n".join(asked) + " }"


class DagsterSource:
    """Seldom: the page shares the processors with all else."""

    name = "dagster"
    seconds = 60.0

    def __init__(self, settings: DagsterSettings) -> None:
        self._address = f"{settings.address}/graphql"
        self._client = httpx.Client(timeout=_SECONDS, trust_env=False, headers=settings.authorization)
        self._since: dict[str, float] = {}

    def look(self) -> Sequence[Sample]:
        overview = self._ask(OVERVIEW)
        periods = running(overview)
        self._since = {name: self._since.get(name, time()) for name in periods}
        ended = self._ask(successes(periods)) if periods else {}
        return [
            *counts(overview),
            *checks(overview),
            *(PERIOD(period, name) for name, period in periods.items()),
            *(SINCE(since, name) for name, since in self._since.items()),
            *(LAST_SUCCESS(_ended(ended[f"s{at}"]), name) for at, name in enumerate(periods)),
        ]

    def _ask(self, query: str) -> Mapping[str, Any]:
        answer = self._client.post(self._address, json={"query": query}).raise_for_status().json()
        if answer.get("errors") or not isinstance(answer.get("data"), dict):
            raise ValueError("Dagster did not answer the question")
        data: Mapping[str, Any] = answer["data"]
        return data


def counts(overview: Mapping[str, Any]) -> list[Sample]:
    """Runs of each status."""
    return [RUNS(overview[status].get("count") or 0, status.lower()) for status in STATUSES]


def running(overview: Mapping[str, Any]) -> dict[str, float]:
    """The schedules that are switched on, and the seconds between their next two ticks."""
    found = {}
    for repository in overview["repositoriesOrError"].get("nodes", []):
        for schedule in repository["schedules"]:
            ticks = [tick["timestamp"] for tick in schedule["futureTicks"]["results"]]
            if schedule["scheduleState"]["status"] == "RUNNING" and len(ticks) > 1:
                found[schedule["name"]] = float(ticks[1] - ticks[0])
    return found


def checks(overview: Mapping[str, Any]) -> list[Sample]:
    """Checks that failed. One that could not be carried out counts as an error."""
    failed = Counter[str]()
    for node in overview["assetNodes"]:
        for check in node["assetChecksOrError"].get("checks", []):
            execution = check["executionForLatestMaterialization"]
            if execution is not None and execution["status"] in _FAILED:
                failed[(execution["evaluation"] or {}).get("severity", "ERROR")] += 1
    return [FAILED_CHECKS(failed[severity], severity.lower()) for severity in SEVERITIES]


def _ended(answer: Mapping[str, Any]) -> float:
    results = answer.get("results") or [{}]
    return float(results[0].get("endTime") or 0.0)
