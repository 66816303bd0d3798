"""What a build came to: how every model, test and check ended, and what those that failed say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

OUTCOME = "outcome"
"""The label that a build's outcome has in its run's log."""


class Ending(StrEnum):
    """How one node ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"  # what it depends on has failed


_DBT_ENDINGS = {
    "success": Ending.PASSED,
    "pass": Ending.PASSED,
    "no-op": Ending.PASSED,
    "warn": Ending.WARNED,
    "error": Ending.FAILED,
    "fail": Ending.FAILED,
    "runtime error": Ending.FAILED,
    "partial success": Ending.FAILED,
    "skipped": Ending.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One model, test, check or step: its name, and what it says where it did not just pass. Seconds it took."""

    kind: str
    name: str
    ending: Ending
    says: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """All nodes of a build, in the order of their ends. `error` says why it broke off where no node says it."""

    nodes: tuple[Node, ...] = ()
    seconds: float = 0.0
    error: str = ""

    @property
    def succeeded(self) -> bool:
        return not self.error and not self.failed

    @property
    def models(self) -> tuple[Node, ...]:
        """The models that were built."""
        return tuple(node for node in self.nodes if node.kind == "model" and node.ending is Ending.PASSED)

    @property
    def tests(self) -> tuple[Node, ...]:
        """The tests and checks that were made, however they ended."""
        made = (Ending.PASSED, Ending.WARNED, Ending.FAILED)
        return tuple(node for node in self.nodes if node.kind in {"test", "check"} and node.ending in made)

    @property
    def failed(self) -> tuple[Node, ...]:
        return self._ended(Ending.FAILED)

    @property
    def warned(self) -> tuple[Node, ...]:
        return self._ended(Ending.WARNED)

    @property
    def skipped(self) -> tuple[Node, ...]:
        """What was not done, as what it depends on has failed."""
        return self._ended(Ending.SKIPPED)

    def _ended(self, ending: Ending) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.ending is ending)


def from_run_results(run_results: Mapping[str, Any]) -> BuildOutcome:
    """Out of dbt's artefact ``run_results.json``."""
    nodes = tuple(_node(result) for result in run_results["results"])
    return BuildOutcome(nodes, float(run_results.get("elapsed_time", 0.0)))


def _node(result: Mapping[str, Any]) -> Node:
    # model.neonblue.daily_metrics, test.neonblue.unique_stg_events_event_id.9f2c…
    kind, _, name = str(result["unique_id"]).split(".")[:3]
    ending = _DBT_ENDINGS.get(str(result["status"]), Ending.FAILED)
    says = "" if ending is Ending.PASSED else one_paragraph(str(result.get("message") or ""))
    return Node(kind, name, ending, says, float(result.get("execution_time") or 0.0))


def one_paragraph(text: str) -> str:
    """A message without empty lines and indentation."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def to_json(outcome: BuildOutcome) -> str:
    return msgspec.json.encode(outcome).decode()


def from_json(text: str) -> BuildOutcome:
    return msgspec.json.decode(text, type=BuildOutcome)
