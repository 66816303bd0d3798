"""Follows a run through the webserver's GraphQL until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import msgspec

from neonblue.settings import Settings
from orchestration.course import Course, Event

_LOG = """
query Log($run: ID!, $cursor: String) {
  runOrError(runId: $run) { ... on Run { status } }
  logsForRun(runId: $run, afterCursor: $cursor, limit: 1000) { ... on EventConnection {
    cursor hasMore
    events {
      __typename
      ... on MessageEvent { message stepKey }
      ... on ErrorEvent { error { message } }
      ... on EngineEvent { metadataEntries { label ... on JsonMetadataEntry { jsonString } } }
      ... on MaterializationEvent { assetKey { path } }
      ... on AssetCheckEvaluationEvent {
        evaluation { success severity checkName assetKey { path } description }
      }
    }
  } }
}
"""
_FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 30.0
_PATIENCE_SECONDS = 120.0


class DagsterAwayError(Exception):
    """Dagster does not answer, or not yet with its jobs. The message says what to do."""


class _Status(msgspec.Struct):
    status: str = ""


class _Events(msgspec.Struct, rename="camel"):
    cursor: str = ""
    has_more: bool = False
    events: tuple[Event, ...] = ()


class _Data(msgspec.Struct, rename="camel"):
    run_or_error: _Status
    logs_for_run: _Events


class _Answer(msgspec.Struct):
    data: _Data


@dataclass(frozen=True, slots=True)
class Moment:
    """How far the run has come. `status` is Dagster's word for it."""

    status: str
    course: Course

    @property
    def finished(self) -> bool:
        return self.status in _FINISHED

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCESS"


def follow(settings: Settings, run_id: str) -> Iterator[Moment]:
    """The run's moments, again and again; the last one is finished.

    Raises ``DagsterAwayError`` when Dagster has not answered for two minutes; the run may go on without it.
    """
    course, cursor, heard = Course(), None, time.monotonic()
    with httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False) as client:
        while True:
            try:
                data = _ask(client, settings, run_id, cursor)
            except (httpx.HTTPError, msgspec.DecodeError) as error:
                if time.monotonic() - heard > _PATIENCE_SECONDS:
                    raise DagsterAwayError(
                        f"Dagster does not answer any more; the run may go on: see {settings.dagster.run_page(run_id)}"
                    ) from error
                time.sleep(_POLL_SECONDS)
                continue
            heard, cursor = time.monotonic(), data.logs_for_run.cursor or cursor
            for event in data.logs_for_run.events:
                course = course.after(event)
            if data.logs_for_run.has_more:
                continue
            moment = Moment(data.run_or_error.status, course)
            yield moment
            if moment.finished:
                return
            time.sleep(_POLL_SECONDS)


def _ask(client: httpx.Client, settings: Settings, run_id: str, cursor: str | None) -> _Data:
    answer = client.post(
        f"{settings.dagster.address}/graphql",
        json={"query": _LOG, "variables": {"run": run_id, "cursor": cursor}},
        headers=settings.dagster.authorization,
    )
    return msgspec.json.decode(answer.raise_for_status().content, type=_Answer).data
