"""Runs the steps of a run in its own process, whose log lines carry the run's id, and as a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagster import InitExecutorContext, executor
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.events import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from neonblue.log_lines import of_process
from neonblue.settings import Settings
from orchestration.run_trace import traced


class _KnownRun(InProcessExecutor):
    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        of_process(run_id=plan_context.run_id)
        try:
            with traced(Settings.load(), plan_context.run_id, plan_context.job_name) as trace:
                for event in super().execute(plan_context, execution_plan):
                    if trace is not None:
                        trace.note(event)
                    yield event
        finally:
            of_process(run_id=None)


@executor(name="in_process", config_schema=IN_PROC_CONFIG)
def known_run_executor(context: InitExecutorContext) -> InProcessExecutor:
    """Dagster's own `in_process`, and who asks is known."""
    retries: Any = context.executor_config["retries"]
    return _KnownRun(retries=RetryMode.from_config(retries) or RetryMode.ENABLED)
