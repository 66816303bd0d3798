"""A run as a trace: its steps, dbt's nodes within them, and links to requests whose events it may have counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from dagster import DagsterEvent, DagsterEventType

from neonblue.clickhouse.client import connect
from neonblue.settings import ClickHouseSettings, Settings
from neonblue.tracing import CURRENT, Parent, parent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from neonblue.tracing.tracer import Tracing

log = structlog.get_logger("orchestration.tracing")

_BEGUN = (DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED)
_ENDED = (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY)
_LINKS = 64
_READ = 1_000
_NEWEST = "SELECT traceparent FROM message_traces ORDER BY ingested_at DESC LIMIT {most:UInt32}"
_OK = ("success", "pass", "warn", "no-op", "skipped")


class RunTrace:
    """The spans of one run, in its process. `CURRENT` is the step's while it is carried out."""

    def __init__(self, tracing: Tracing, run: Span) -> None:
        self._tracing = tracing
        self._run = run
        self._steps: dict[str, Span] = {}

    def note(self, event: DagsterEvent) -> None:
        """Begin or end the span of the event's step."""
        if event.step_key is None:
            return
        if event.event_type in _BEGUN:
            span = self._tracing.begin(event.step_key, parent=self._run)
            self._steps[event.step_key] = span
            CURRENT.set(span)
        elif event.event_type in _ENDED and (ended := self._steps.pop(event.step_key, None)) is not None:
            _close(ended, good=event.event_type is DagsterEventType.STEP_SUCCESS)
            CURRENT.set(self._run)

    def close(self) -> None:
        """End what has no end, as where the run was broken off."""
        for span in self._steps.values():
            _close(span, good=False)
        self._steps.clear()

    def dbt(self, results: Mapping[str, Any]) -> None:
        """A span for each node that dbt has carried out, from what it left."""
        step = CURRENT.get()
        for result in results.get("results", ()):
            timing = {one["name"]: one for one in result.get("timing", ())}.get("execute")
            if timing is None or not timing.get("started_at") or not timing.get("completed_at"):
                continue
            began, ended = (datetime.fromisoformat(timing[name]) for name in ("started_at", "completed_at"))
            span = self._tracing.begin(
                result["unique_id"],
                parent=step,  # type: ignore[arg-type]
                start=began.timestamp(),
                attributes={"neonblue.dbt.status": result["status"]},
            )
            _close(span, good=result["status"] in _OK, at=ended.timestamp())


_now: RunTrace | None = None


def trace_of_now() -> RunTrace | None:
    """Of the run that this process carries out; None where it is not traced."""
    return _now


@contextmanager
def traced(settings: Settings, run_id: str, job: str) -> Iterator[RunTrace | None]:
    """The run is a trace of its own, where traces are on."""
    global _now
    if settings.traces.address is None:
        yield None
        return
    from neonblue.tracing.tracer import tracing_of

    tracing = tracing_of(settings.traces, "dagster-code")
    if tracing is None:
        yield None
        return
    attributes = {"neonblue.run_id": run_id, "neonblue.job": job}
    span = tracing.begin(f"run {job}", links=_counted(settings.clickhouse), attributes=attributes)
    try:
        with tracing.current(span):
            _now = RunTrace(tracing, span)
            try:
                yield _now
            finally:
                _now.close()
                _now = None
    finally:
        tracing.stop()


def _counted(clickhouse: ClickHouseSettings) -> Sequence[Parent]:
    """The newest traced requests whose events are there."""
    try:
        with connect(clickhouse) as client:
            rows = client.query(_NEWEST, {"most": _READ}).result_rows
    except (ClickHouseError, OSError) as error:
        log.info("links_unknown", error=type(error).__name__)
        return []
    carried = list(dict.fromkeys(row[0] for row in rows))[:_LINKS]
    return [parent for one in carried if (parent := parent_of(one)) is not None]


def _close(span: Span, *, good: bool, at: float | None = None) -> None:
    from neonblue.tracing.tracer import failed, nanoseconds

    if not good:
        failed(span)
    span.end(None if at is None else nanoseconds(at))
