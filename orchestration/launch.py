"""Runs a job through the running webserver, so that the run is seen on its page."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import httpx
from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from neonblue.settings import Settings
from orchestration.following import DagsterAwayError, follow
from orchestration.tags import DAYS_TAG, PARTITION_TAG, REBUILD_TAG, Rebuild

_BY_DAY = "everything"
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: its id, its final status and its page."""

    run_id: str
    status: DagsterRunStatus
    url: str

    @property
    def succeeded(self) -> bool:
        return self.status is DagsterRunStatus.SUCCESS


def submit(settings: Settings, job: str = "everything", days: Sequence[date] = ()) -> str:
    """Queue a run of `job`; its id. `everything` builds exactly `days`; without, what rows have touched.

    Raises ``DagsterAwayError`` where there is no Dagster, or none that knows the job.
    """
    address = urlsplit(settings.dagster.address)
    try:
        httpx.get(
            f"{settings.dagster.address}/server_info",
            headers=settings.dagster.authorization,
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        ).raise_for_status()
        client = DagsterGraphQLClient(
            address.hostname or "127.0.0.1",
            port_number=address.port,
            use_https=address.scheme == "https",
            headers=settings.dagster.authorization,
        )
        return client.submit_job_execution(job, tags=_tags(job, days))
    except httpx.HTTPStatusError as error:
        raise DagsterAwayError(_answered(settings, error.response.status_code)) from error
    except httpx.HTTPError as error:
        raise DagsterAwayError(
            f"Dagster does not answer at {settings.dagster.address}: start the stack with 'neonblue up'"
        ) from error
    except DagsterGraphQLClientError as error:
        raise DagsterAwayError(
            f"Dagster does not take the job {job} ({error}); 'neonblue status' shows whether it is ready"
        ) from error


def _answered(settings: Settings, status: int) -> str:
    if status in (401, 403):
        return (
            f"Dagster at {settings.dagster.address} does not take NEONBLUE_DAGSTER_TOKEN: does another stack listen "
            "there? Name the folder of yours with --data-dir or NEONBLUE_DATA_DIR"
        )
    return f"Dagster at {settings.dagster.address} answers with status {status}: see 'neonblue logs dagster'"


def _tags(job: str, days: Sequence[date]) -> dict[str, str] | None:
    """The models are partitioned by day: the run is that of the last day it builds, or of the day that is open."""
    if job != _BY_DAY:
        return None
    if not days:
        return {PARTITION_TAG: datetime.now(UTC).date().isoformat()}
    names = sorted({day.isoformat() for day in days})
    return {
        PARTITION_TAG: names[-1],
        REBUILD_TAG: Rebuild.SELECTED.value,
        DAYS_TAG: ",".join(names),
    }


def launch(settings: Settings, job: str = "everything", timeout: float | None = 600.0) -> Run:
    """Launch `job` and wait for its end, at most `timeout` seconds (None: as long as it takes).

    Raises ``TimeoutError`` naming the run when it has not ended by then, and ``DagsterAwayError``.
    """
    run_id = submit(settings, job)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    for moment in follow(settings, run_id):
        if moment.finished:
            return Run(run_id, DagsterRunStatus(moment.status), settings.dagster.run_page(run_id))
        if time.monotonic() > deadline:
            break
    raise TimeoutError(
        f"the run {run_id} of {job} has not ended after {timeout:g} s: see {settings.dagster.run_page(run_id)}"
    )
