"""Tells people what is wrong with the stack while it runs: by the supervisor's log, and by the addresses for alerts."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence

import httpx
import msgspec
import structlog

from neonblue.alerting import Alert, Severity
from neonblue.alerting.mailbox import Mailbox
from neonblue.settings import Settings
from neonblue.stack.supervisor import probe, progress, troubles
from neonblue.stack.supervisor.board import Board
from neonblue.stack.supervisor.names import STANDBY
from neonblue.stack.supervisor.nodes import Node, with_requirements
from neonblue.stack.supervisor.reminding import Reminder, Restarts
from neonblue.stack.supervisor.troubles import Trouble

_log = structlog.get_logger("neonblue.stack")

_LOOK_SECONDS = 5.0
_FIRST_LOOKS_SECONDS = 0.5
"""Until all was ready once: a moment that must not be missed."""
_API_SECONDS = 3.0
_LATE_SECONDS = 300.0
"""A start that takes longer is no start any more: what is not ready then is told."""
_NO_START = frozenset({STANDBY})
"""What no start brings about is told before all was ready once: for want of it nothing may ever be."""


class Answer(msgspec.Struct, frozen=True):
    """What ``/readyz`` says of the API's parts."""

    components: dict[str, str] = {}


def ask_api(address: str) -> Mapping[str, str] | None:
    """The state of each of the API's parts; None where it does not say, which is for its own check to tell."""
    with contextlib.suppress(httpx.HTTPError, msgspec.DecodeError):
        answer = probe.ask(f"{address}/readyz", _API_SECONDS)
        return msgspec.json.decode(answer.content, type=Answer).components
    return None


class Teller(threading.Thread):
    """Looks every five seconds. Neither an error nor an address that hangs stops it or the stack."""

    def __init__(self, settings: Settings, board: Board, nodes: Sequence[Node]) -> None:
        super().__init__(name="stack-telling", daemon=True)
        self._settings = settings
        self._board = board
        self._needs = {node.name: _needs(node, nodes) for node in nodes}
        self._asks_api = "api" in self._needs
        self._of_api: list[Trouble] = []
        self._began = time.monotonic()
        self._settled = False
        self._restarts = Restarts()
        self._reminder = Reminder(60.0 * settings.alert.repeat_minutes)
        self._boxes = [Mailbox(url, at, board.stopping) for at, url in enumerate(settings.alert.urls, 1)]

    def run(self) -> None:
        for box in self._boxes:
            box.start()
        while not self._board.stopping.wait(_LOOK_SECONDS if self._settled else _FIRST_LOOKS_SECONDS):
            with contextlib.suppress(Exception):
                try:
                    self._look()
                except Exception:
                    _log.exception("telling_failed")

    def _look(self) -> None:
        now, statuses = time.monotonic(), self._board.all()
        self._settled = (
            self._settled or progress.of(statuses, ()).settled or now - self._began >= _LATE_SECONDS
        )
        found = [*troubles.of_parts(statuses, self._needs), *self._restarts.look(statuses, now)]
        if self._settled:
            found += self._api_troubles()
        else:
            found = [trouble for trouble in found if not trouble.lasting or trouble.about in _NO_START]
        news = self._reminder.look(found, now)
        for trouble in news.new:
            _log.warning("trouble", about=trouble.about, what=trouble.what, command=trouble.command)
            self._tell(Alert(subject(trouble), f"NeonBlue: {trouble.about}", self._body(trouble)))
        for trouble in news.over:
            _log.info("trouble_over", about=trouble.about)
            title, body = f"NeonBlue: {trouble.about} is over", f"It was: {trouble.what}"
            self._tell(Alert(subject(trouble), title, body, Severity.SUCCESS))

    def _api_troubles(self) -> list[Trouble]:
        """As at the last look, where the API does not answer now."""
        if self._asks_api and (components := ask_api(self._settings.api.address)) is not None:
            self._of_api = troubles.of_api(components)
        return self._of_api

    def _body(self, trouble: Trouble) -> str:
        return f"{trouble.what}\n{trouble.command}\nIn {self._settings.data_dir}"

    def _tell(self, alert: Alert) -> None:
        for box in self._boxes:
            box.put(alert)


def subject(trouble: Trouble) -> str:
    return f"stack/{trouble.about}"


def _needs(node: Node, nodes: Sequence[Node]) -> set[str]:
    present = {other.name for other in nodes}
    direct = [name for name in (*node.requires, *node.optional) if name in present]
    return with_requirements(direct, nodes)
