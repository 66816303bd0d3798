"""The course of a build's run, read out of its log: what runs now, what is done, and at last the outcome. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from orchestration.outcome import OUTCOME, BuildOutcome, Ending, Node, from_json, one_paragraph

DBT_STEP = "dbt_models"


class Key(msgspec.Struct, frozen=True):
    path: tuple[str, ...]


class Evaluation(msgspec.Struct, frozen=True, rename="camel"):
    """How a check ended. Severity is WARN or ERROR."""

    success: bool
    severity: str
    check_name: str
    asset_key: Key
    description: str | None = None


class ErrorMessage(msgspec.Struct, frozen=True):
    message: str


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    label: str
    json_string: str = ""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the run's log, as Dagster's GraphQL gives it."""

    kind: str = msgspec.field(name="__typename")
    message: str = ""
    step_key: str | None = None
    evaluation: Evaluation | None = None
    error: ErrorMessage | None = None
    metadata_entries: tuple[Entry, ...] = ()
    asset_key: Key | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What the log has said so far. `built` (models) and `tests` are of the attempt that runs, or ran last."""

    step: str = ""
    attempt: int = 1
    built: frozenset[str] = frozenset()
    tests: int = 0
    failing: int = 0
    dbt: BuildOutcome | None = None
    checks: tuple[tuple[str, Node], ...] = ()
    failed_steps: tuple[Node, ...] = ()
    error: str = ""

    @property
    def models(self) -> int:
        """How many models were built."""
        return len(self.built)

    def after(self, event: Event) -> Course:
        """With one more entry of the log."""
        step = event.step_key or ""
        match event.kind:
            case "ExecutionStepStartEvent":
                return replace(self, step=step)
            case "ExecutionStepRestartEvent" if step == DBT_STEP:
                return replace(
                    self, step=step, attempt=self.attempt + 1, built=frozenset(), tests=0, failing=0, dbt=None
                )
            case "MaterializationEvent" if step == DBT_STEP and event.asset_key is not None:
                # A model is told once more for each other day that was built of it.
                return replace(self, built=self.built | {event.asset_key.path[-1]})
            case "AssetCheckEvaluationEvent" if event.evaluation is not None:
                return self._checked(step, event.evaluation)
            case "ExecutionStepFailureEvent":
                said = event.error.message if event.error is not None else event.message
                failed = Node("step", step, Ending.FAILED, one_paragraph(said))
                return replace(self, failed_steps=(*self.failed_steps, failed))
            case "EngineEvent":
                given = [entry.json_string for entry in event.metadata_entries if entry.label == OUTCOME]
                return replace(self, dbt=from_json(given[0])) if given else self
            case "RunFailureEvent" | "RunCanceledEvent":
                said = event.error.message if event.error is not None else event.message
                return replace(self, error=one_paragraph(said))
        return self

    def _checked(self, step: str, evaluation: Evaluation) -> Course:
        failing = self.failing + (not evaluation.success and evaluation.severity == "ERROR")
        if step == DBT_STEP:
            return replace(self, tests=self.tests + 1, failing=failing)
        name = f"{'/'.join(evaluation.asset_key.path)}: {evaluation.check_name}"
        ending = Ending.PASSED if evaluation.success else Ending.WARNED
        says = "" if evaluation.success else one_paragraph(evaluation.description or "")
        return replace(
            self,
            tests=self.tests + 1,
            failing=failing,
            checks=(*self.checks, (step, Node("check", name, ending, says))),
        )

    def outcome(self, *, succeeded: bool, seconds: float) -> BuildOutcome:
        """What the finished run came to. A check that fails without stopping its step is a warning."""
        stopped = {node.name for node in self.failed_steps}
        checks = tuple(
            replace(node, ending=Ending.FAILED) if node.ending is Ending.WARNED and step in stopped else node
            for step, node in self.checks
        )
        dbt = self.dbt or BuildOutcome()
        told = {step for step, node in self.checks if node.ending is Ending.WARNED} | (
            {DBT_STEP} if dbt.failed else set()
        )
        steps = tuple(node for node in self.failed_steps if node.name not in told)
        nodes = (*dbt.nodes, *checks, *steps)
        outcome = BuildOutcome(nodes, seconds)
        if succeeded or outcome.failed:
            return outcome
        return replace(outcome, error=self.error or "the run did not succeed")
