"""Does for containers what the supervisor does for the embedded stack, but for starting them: that is the engine's.

Roles, users, tables and topics are made (`set_up`), then watched and mended with the connector and the stream (`keep`).
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterable

import structlog

from neonblue.backoff import backoff
from neonblue.compose.standby import Standby
from neonblue.log_lines import LogLines, configure
from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError, explain
from neonblue.stack.services.api import Api, PostgresSchema
from neonblue.stack.services.clickhouse import ClickHouse, ClickHouseSchema
from neonblue.stack.services.connect import Connect
from neonblue.stack.services.connector import Connector
from neonblue.stack.services.dagster import DagsterDaemon, DagsterWeb
from neonblue.stack.services.inside import kafka_users
from neonblue.stack.services.kafka import Kafka, admin
from neonblue.stack.services.postgres import Postgres
from neonblue.stack.services.repair import StreamRepair
from neonblue.stack.services.topics import Topics
from neonblue.stack.supervisor.board import Board, State, Status
from neonblue.stack.supervisor.folder_lock import FolderLock
from neonblue.stack.supervisor.nodes import External, Step, dependents, ordered, requirements
from neonblue.stack.supervisor.record import Recorder
from neonblue.stack.supervisor.runner import StepRunner
from neonblue.stack.supervisor.telling import Teller

_log = structlog.get_logger("neonblue.compose")

_ATTEMPTS = 13


class Watched(External):
    """A service that the engine starts: however long that takes, it is waited for."""

    attempts = sys.maxsize


class KafkaUsers(Step):
    """The broker is there, and knows the platform's users and what they may do."""

    name = Kafka.name
    watch_seconds = 5.0
    attempts = sys.maxsize

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Whose users they are: each part's own, as on the embedded stack's.
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": None})
        self._own = settings.model_copy(update={"kafka": kafka})
        self._broker = Kafka(settings)

    def run(self) -> None:
        kafka_users.set_up(admin(self._settings), self._own)

    def check(self) -> None:
        self._broker.check()


def configure_logs() -> None:
    """Lines of JSON on standard output, which the engine keeps."""
    configure("keeper", LogLines(lambda: sys.stdout))


def _foundation(settings: Settings) -> tuple[Step, ...]:
    """What must be there before anything of the platform starts."""
    return (
        Watched(Postgres(settings)),
        PostgresSchema(settings),
        KafkaUsers(settings),
        Topics(settings),
        Watched(ClickHouse(settings)),
        ClickHouseSchema(settings, profile=False),  # other services mount the folder
    )


def _stream(settings: Settings) -> tuple[Step, ...]:
    return (
        Watched(Connect(settings)),
        Connector(settings),
        StreamRepair(settings),
        Watched(Api(settings)),
        Watched(DagsterWeb(settings)),
        Watched(DagsterDaemon(settings)),
    )


def set_up(settings: Settings) -> None:
    """Make what must be there before the platform starts, or bring it up to date. Raises ``ServiceError``."""
    steps = {step.name: step for step in _foundation(settings)}
    for node in ordered(steps.values()):
        _do(steps[node.name])
        node.close()
        _log.info("set_up", step=node.name)


def _do(step: Step) -> None:
    """Services that have answered once may still be busy with their start: for two minutes it is tried again."""
    attempt = 0
    while True:
        try:
            step.run()
        except Exception as error:
            attempt += 1
            if attempt == _ATTEMPTS:
                raise ServiceError(step.name, explain(error)) from error
            _log.warning("step_failed", step=step.name, attempt=attempt, error=explain(error))
            time.sleep(backoff(attempt))
        else:
            return


def keep(settings: Settings) -> None:
    """Watch and mend until SIGTERM or SIGINT. What lasts is told to the addresses for alerts.

    What is ready stands in the data folder, where the exporter reads it. Raises ``ServiceError`` where a step has
    failed for good: the engine then starts it all again. Raises ``AlreadyRunningError`` beside another one.
    """
    with FolderLock(settings.data_dir):
        _keep(settings)


def _keep(settings: Settings) -> None:
    nodes = (*_foundation(settings), Standby(settings), *_stream(settings))
    names = {node.name for node in nodes}
    kinds = {node.name: "external" if isinstance(node, External | KafkaUsers) else "step" for node in nodes}

    def changed(status: Status) -> None:
        _log.info("state", node=status.name, state=str(status.state), detail=status.detail)
        recorder.write()

    board = Board([Status(node.name, kind=kinds[node.name]) for node in nodes], changed)
    recorder = Recorder(settings.data_dir, board.all)
    recorder.write()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=board.stop).start())
    runners = [
        StepRunner(node, board, requirements(node, names), dependents(node.name, nodes)) for node in nodes
    ]
    for thread in (*runners, Teller(settings, board, nodes)):
        thread.start()
    board.wait(lambda statuses: board.stopping.is_set() or bool(_failed(statuses.values())), None)
    failed = _failed(board.all())
    board.stop()
    for thread in runners:
        thread.join(timeout=10)
    recorder.close()
    if failed:
        raise ServiceError(failed[0].name, failed[0].detail)


def _failed(statuses: Iterable[Status]) -> list[Status]:
    return [status for status in statuses if status.state == State.FAILED]
