"""Evaluation without a call: the downloaded configuration, decided by the code that the API decides with."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from neonblue.bucketing import Configuration, Reason, ServedBy, Serving, Unit, serve
from neonblue.bucketing.document import (
    SCHEMA_VERSION,
    ConfigurationDocument,
    ExperimentEntry,
    ServedEntry,
)
from neonblue.client.errors import ClientError
from neonblue.client.messages import Assignment
from neonblue.client.quiet_log import log

NOT_RUNNING = "not_running"
UNREADABLE = "unreadable"
"""The reason of an experiment that runs and that this client can't evaluate: its log says why."""
NO_TARGETING = "its targeting needs CEL, which is not installed: pip install 'neonblue-client[targeting]'"
DEFAULT = "default"
"""The reason of a variant that is the caller's own, for want of an answer."""

CONFIGURATION_ATTEMPTS = 3
"""A look for a newer configuration gives up soon: there will be another."""

_SEEN_ENTRIES = 100_000
_JITTER = 0.1
_WAITED_FOR_SECONDS = 1.0
"""The time between looks while there is no configuration at all."""


class LocalAssignment(msgspec.Struct, frozen=True):
    """A unit's variant by the configuration of `version`. None: the unit gets none, `reason` says why."""

    experiment: str
    user_id: str
    variant_key: str | None
    reason: str
    payload: Any = None
    unit_type: str = "user"
    version: int | None = None
    served_by: str = ServedBy.EXPERIMENT

    @property
    def in_experiment(self) -> bool:
        """Whether the experiment itself gives the variant."""
        given = self.variant_key is not None and self.served_by == ServedBy.EXPERIMENT
        return given and self.reason != DEFAULT

    @property
    def exposable(self) -> bool:
        """Whether using the variant is an exposure.

        A tester's and the caller's default are none, nor is what a release or the control serves.
        """
        return self.in_experiment and self.reason != Reason.FORCED

    @classmethod
    def of(cls, answer: Assignment, unit_type: str) -> Self:
        """What the API answered, as if it had been evaluated here."""
        return cls(
            answer.experiment,
            answer.user_id,
            answer.variant_key,
            answer.reason or Reason.ASSIGNED,
            answer.payload,
            unit_type,
            answer.version,
            answer.served_by or ServedBy.EXPERIMENT,
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """An experiment of the configuration. serving: None where it runs."""

    unit_type: str
    version: int
    configuration: Configuration
    payloads: Mapping[str, Any]
    serving: Serving | None = None

    @classmethod
    def of(cls, entry: ExperimentEntry | ServedEntry) -> _Known:
        """Raises ValueError and ImportError for one that can't be evaluated here."""
        configuration = entry.configuration()
        if isinstance(entry, ServedEntry):
            return cls(entry.unit_type, entry.version, configuration, entry.payloads, entry.serving())
        payloads = {variant.key: variant.payload for variant in entry.variants}
        return cls(entry.unit_type, entry.version, configuration, payloads)


class LocalEvaluator:
    """The newest configuration. May be shared by threads: a new one replaces the old in one step."""

    def __init__(self) -> None:
        self._known: dict[str, _Known | None] = {}
        self._lock = threading.Lock()
        self._young: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()
        self._asked: dict[tuple[str, str], tuple[int | None, LocalAssignment]] = {}
        self._ask_again_at = float("-inf")
        self.revision: str | None = None

    def after_fork(self) -> None:
        """Another thread of the parent may have held the lock at the fork."""
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether there is a configuration."""
        return self.revision is not None

    def install(self, document: ConfigurationDocument | None) -> None:
        """Take over a newer configuration; None: there is none. Raises ClientError for one it can't read."""
        if document is None:
            return
        if document.schema_version != SCHEMA_VERSION:
            raise ClientError(f"the configuration has version {document.schema_version}: update this client")
        known: dict[str, _Known | None] = {}  # None: it can't be evaluated here
        entries: list[ExperimentEntry | ServedEntry] = [*document.served, *document.experiments]
        for entry in entries:
            try:
                known[entry.key] = _Known.of(entry)
            except (ValueError, ImportError) as error:
                why = NO_TARGETING if isinstance(error, ImportError) else str(error)
                log.error("experiment_unreadable", experiment=entry.key, error=why)
                known[entry.key] = None
        with self._lock:
            versions = {key: entry.version for key, entry in known.items() if entry is not None}
            self._asked = {
                unit: (version, found)
                for unit, (version, found) in self._asked.items()
                if versions.get(unit[0]) == version
            }
        self._known, self.revision = known, document.revision

    def evaluate(
        self, experiment: str, user_id: str, attributes: Mapping[str, Any] | None
    ) -> LocalAssignment:
        """The unit's variant in this experiment."""
        known = self._known
        found = known.get(experiment)
        if found is None:
            reason = UNREADABLE if experiment in known else NOT_RUNNING
            return LocalAssignment(experiment, user_id, None, reason)
        unit = Unit(user_id, attributes or {})
        evaluation = serve(found.configuration, found.serving, unit)
        variant = evaluation.variant_key
        payload = None if variant is None else found.payloads.get(variant)
        return LocalAssignment(
            experiment,
            user_id,
            variant,
            str(evaluation.reason),
            payload,
            found.unit_type,
            found.version,
            str(evaluation.served_by),
        )

    def asked(self, closed: LocalAssignment) -> LocalAssignment | None:
        """What the API said of this unit under this version; or the control, where it failed to a moment ago.

        closed: of an experiment that no new unit enters, whose stored ones the API alone knows. None: ask it.
        """
        version, found = self._asked.get((closed.experiment, closed.user_id), (None, None))
        if found is not None and version == closed.version:
            return found
        return closed if time.monotonic() < self._ask_again_at else None

    def remember(self, closed: LocalAssignment, found: LocalAssignment) -> LocalAssignment:
        """Keep what the API said, until the experiment has a newer version."""
        with self._lock:
            if len(self._asked) >= _SEEN_ENTRIES:
                self._asked.clear()
            self._asked[closed.experiment, closed.user_id] = (closed.version, found)
        return found

    def not_answered(self) -> None:
        """The API did not say: nobody waits for it again within a second."""
        self._ask_again_at = time.monotonic() + _WAITED_FOR_SECONDS

    def first_use(self, assignment: LocalAssignment) -> bool:
        """Whether this unit's exposure was not told lately: one is enough."""
        unit = (assignment.experiment, assignment.user_id)
        with self._lock:
            if unit in self._young or unit in self._old:
                return False
            if len(self._young) >= _SEEN_ENTRIES:
                self._old, self._young = self._young, set()
            self._young.add(unit)
            return True


def spread(seconds: float) -> float:
    """The time to the next look, varied so that many clients do not look at once."""
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret


def until_next_look(evaluator: LocalEvaluator, seconds: float) -> float:
    """Seconds to the next look for a configuration: soon, while there is none."""
    return spread(seconds if evaluator.ready else min(seconds, _WAITED_FOR_SECONDS))
