"""Runs a job through the running webserver, so that the run is seen on its page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient

from neonblue.settings import Settings

_FINISHED = frozenset({DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED})
_BY_DAY = "everything"
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: its id, its final status and its page."""

    run_id: str
    status: DagsterRunStatus
    url: str

    @property
    def succeeded(self) -> bool:
        return self.status is DagsterRunStatus.SUCCESS


def launch(settings: Settings, job: str = "everything", timeout: float = 600.0) -> Run:
    """Launch `job` and wait for its end, at most `timeout` seconds.

    Raises ``TimeoutError`` naming the run when it has not ended by then, and dagster_graphql's
    ``DagsterGraphQLClientError`` when the webserver refuses it.
    """
    address = urlsplit(settings.dagster.address)
    client = DagsterGraphQLClient(
        address.hostname or "127.0.0.1", port_number=address.port, use_https=address.scheme == "https"
    )
    # The models are partitioned by day: the run is that of the day that is open.
    tags = {"dagster/partition": datetime.now(UTC).date().isoformat()} if job == _BY_DAY else None
    run_id = client.submit_job_execution(job, tags=tags)
    url = f"{settings.dagster.address}/runs/{run_id}"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = client.get_run_status(run_id)
        if status in _FINISHED:
            return Run(run_id, status, url)
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the run {run_id} of {job} has not ended after {timeout:g} s: see {url}")
