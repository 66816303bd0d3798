"""What waits to run."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

_WAITING = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED]


def waits(instance: DagsterInstance, job: str, tags: Mapping[str, str]) -> bool:
    """Whether a run of this job with all of these tags has yet to be launched: a second one would do the same again."""
    return instance.get_runs_count(RunsFilter(job_name=job, tags=dict(tags), statuses=_WAITING)) > 0
