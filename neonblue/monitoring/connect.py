"""Whether the connector that carries the outbox runs, by Kafka Connect's own interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

import httpx
import msgspec

from neonblue.monitoring.samples import Family, Sample
from neonblue.settings import ConnectSettings

RUNNING = Family("neonblue_connector_running", "1 where the connector and all of its tasks are RUNNING")
TASKS = Family("neonblue_connector_tasks", "The connector's tasks by Kafka Connect's states", ("state",))
_RUNNING = "RUNNING"
_STATES = (_RUNNING, "PAUSED", "STOPPED", "FAILED", "UNASSIGNED", "RESTARTING")
ANSWER_SECONDS = 5.0
"""For so long Kafka Connect is waited for."""


class Part(msgspec.Struct, frozen=True):
    """The connector, or one of its tasks."""

    state: str


class Status(msgspec.Struct, frozen=True):
    """What Kafka Connect answers of a connector."""

    connector: Part
    tasks: list[Part] = []


class ConnectSource:
    """The connector as it is now."""

    name = "connect"
    seconds = 5.0

    def __init__(self, settings: ConnectSettings) -> None:
        self._address = f"{settings.address}/connectors/{quote(settings.connector, safe='')}/status"
        self._client = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, auth=settings.credentials)

    def look(self) -> Sequence[Sample]:
        answer = self._client.get(self._address)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return samples(None)
        return samples(msgspec.json.decode(answer.raise_for_status().content, type=Status))


def samples(status: Status | None) -> list[Sample]:
    """Of a connector; None: it is not registered."""
    tasks = Counter(task.state for task in status.tasks) if status is not None else Counter[str]()
    running = status is not None and status.connector.state == _RUNNING and set(tasks) == {_RUNNING}
    return [RUNNING(running), *(TASKS(tasks[state], state) for state in {*_STATES, *tasks})]
