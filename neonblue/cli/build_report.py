"""The words of ``neonblue build``: its progress in a line, and its end."""

from __future__ import annotations

from rich.markup import escape

from orchestration.course import DBT_STEP, Course
from orchestration.outcome import BuildOutcome, Ending, Node

_WAITING = {
    "QUEUED": "queued: one build runs at a time",
    "NOT_STARTED": "queued: one build runs at a time",
    "STARTING": "Dagster starts the run's process",
    "CANCELING": "canceling",
}
_SHOWN = 20
_LINES = 6


def step_line(status: str, course: Course) -> str:
    """What runs now, and what is done."""
    if status in _WAITING:
        return _WAITING[status]
    if not course.step:
        return "loading"
    step = "models and their tests" if course.step == DBT_STEP else course.step.replace("_", " ")
    again = f" (attempt {course.attempt})" if course.attempt > 1 and course.step == DBT_STEP else ""
    failing = f", {course.failing:,} failing" if course.failing else ""
    return f"{escape(step)}{again} · {course.models:,} models built, {course.tests:,} tests made{failing}"


def report(outcome: BuildOutcome, url: str) -> list[str]:
    """The end of a build in lines: what failed with what it says, the counts, where to look."""
    lines = [line for node in outcome.warned[:_SHOWN] for line in _told("yellow", "warned", node)]
    lines += [line for node in outcome.failed[:_SHOWN] for line in _told("bold red", "failed", node)]
    hidden = len(outcome.warned[_SHOWN:]) + len(outcome.failed[_SHOWN:])
    if hidden:
        lines.append(f"… and {hidden:,} more")
    if outcome.error:
        lines.append(f"[bold red]error[/] {escape(outcome.error)}")
    passed = sum(node.ending is Ending.PASSED for node in outcome.tests)
    warned = sum(node.ending is Ending.WARNED for node in outcome.tests)
    failed = sum(node.ending is Ending.FAILED for node in outcome.tests)
    counts = [
        f"{len(outcome.models):,} models built",
        f"{passed:,} tests passed, {warned:,} warned, {failed:,} failed",
    ]
    if outcome.skipped:
        counts.append(f"{len(outcome.skipped):,} skipped, as what they depend on has failed")
    mark = "[green]built[/]" if outcome.succeeded else "[bold red]not built[/]"
    return [*lines, f"{mark} in {outcome.seconds:.0f} s: {'; '.join(counts)}", f"see {url}"]


def _told(colour: str, word: str, node: Node) -> list[str]:
    said = node.says.splitlines()
    more = ["  …"] if len(said) > _LINES else []
    return [
        f"[{colour}]{word}[/] {node.kind} {escape(node.name)}",
        *(f"  {escape(line)}" for line in said[:_LINES]),
        *more,
    ]
