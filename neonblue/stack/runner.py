"""Runs one node in a thread of its own: wait, prepare, start, check, watch, restart, stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from pathlib import Path

import structlog

from neonblue.stack.board import Board, State
from neonblue.stack.errors import StackError
from neonblue.stack.logs import limit
from neonblue.stack.nodes import Node, Service, Step
from neonblue.stack.process import Running, kill, members, start

_log = structlog.get_logger("neonblue.stack")

FIRST_DELAY = 0.25
LONGEST_DELAY = 15.0
STABLE_SECONDS = 60.0
GIVE_UP_AFTER = 4
"""So many failed starts end the hope for a service that never was ready; one that was is always restarted."""
_POLL_SECONDS = 0.1
_EXIT_POLL_SECONDS = 0.25


def backoff(failures: int) -> float:
    """Seconds to wait before the next try after `failures` (≥ 1) in a row."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (failures - 1))


def explain(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if isinstance(error, StackError) else f"{type(error).__name__}: {text}"


class Runner(threading.Thread):
    """The life of one node. `before` must be ready first; `after` must have stopped before it stops."""

    def __init__(self, node: Node, board: Board, before: Collection[str], after: Collection[str]) -> None:
        super().__init__(name=f"stack-{node.name}", daemon=True)
        self._node = node
        self._board = board
        self._before = tuple(before)
        self._after = tuple(after)

    def run(self) -> None:
        try:
            if self._board.wait_for_ready(self._before):
                self._live()
        except Exception as error:
            _log.exception("node_failed", node=self._node.name)
            self._set(State.FAILED, explain(error))
        self._board.stopping.wait()
        self._finish()
        self._node.close()
        self._set(State.STOPPED)

    def _live(self) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        self._board.wait_for_stopped(self._after)

    def _set(self, state: State, detail: str = "") -> None:
        self._board.update(self._node.name, state=state, detail=detail)

    def _pause(self, seconds: float) -> bool:
        """Wait; False when the stack is to stop."""
        return not self._board.stopping.wait(seconds)

    def _look(self) -> None:
        """Check a node that was ready, note the outcome, mend."""
        try:
            self._node.check()
        except Exception as error:
            self._set(State.UNREADY, explain(error))
            try:
                self._node.mend()
            except Exception as second:
                _log.warning("mending_failed", node=self._node.name, error=explain(second))
        else:
            self._set(State.READY)


class StepRunner(Runner):
    """Does a step, repeating it a bounded number of times, then watches it where it wants to be watched."""

    _node: Step

    def _live(self) -> None:
        for attempt in range(1, self._node.attempts + 1):
            self._set(State.STARTING)
            try:
                self._node.run()
            except Exception as error:
                _log.warning("step_failed", step=self._node.name, attempt=attempt, error=explain(error))
                if attempt == self._node.attempts:
                    self._set(State.FAILED, explain(error))
                    return
                self._board.update(self._node.name, detail=explain(error))
                if not self._pause(min(2.0, backoff(attempt))):
                    return
            else:
                self._set(State.READY)
                break
        while self._node.watch_seconds is not None and self._pause(self._node.watch_seconds):
            self._look()


class ServiceRunner(Runner):
    """Keeps a service's process alive. The process is started in this thread, which outlives it."""

    _node: Service

    def __init__(
        self, node: Service, board: Board, before: Collection[str], after: Collection[str], log: Path
    ) -> None:
        super().__init__(node, board, before, after)
        self._log_file = log
        self._running: Running | None = None
        self._was_ready = False

    def _live(self) -> None:
        failures = 0
        while not self._board.stopping.is_set():
            began = time.monotonic()
            reason = self._one_life()
            if self._board.stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > STABLE_SECONDS else failures + 1
            if not self._was_ready and failures >= GIVE_UP_AFTER:
                self._set(State.FAILED, reason)
                return
            _log.warning("service_restarts", service=self._node.name, reason=reason, delay=backoff(failures))
            restarts = self._board[self._node.name].restarts + 1
            self._board.update(
                self._node.name, state=State.RESTARTING, restarts=restarts, identity=None, detail=reason
            )
            if not self._pause(backoff(failures)):
                return

    def _one_life(self) -> str:
        """From preparation to the process's end; returns why it ended."""
        try:
            self._set(State.PREPARING)
            self._node.prepare()
            self._running = start(self._node.command(), self._log_file)
        except Exception as error:
            _log.warning("service_not_started", service=self._node.name, error=explain(error))
            return explain(error)
        self._board.update(
            self._node.name, state=State.STARTING, identity=self._running.identity, started=time.time()
        )
        reason = self._until_ready(self._running) or self._until_exit(self._running)
        if not self._board.stopping.is_set():
            self._clear()
        return reason

    def _until_ready(self, running: Running) -> str:
        """'' once ready, else why it won't be."""
        deadline = time.monotonic() + self._node.start_seconds
        while self._pause(_POLL_SECONDS):
            if (code := running.exit_code()) is not None:
                return f"{_ended(code)} before it was ready"
            try:
                self._node.check()
                self._node.settle()
            except Exception as error:
                if time.monotonic() > deadline:
                    return f"not ready after {self._node.start_seconds:.0f} s: {explain(error)}"
                self._board.update(self._node.name, detail=explain(error))
            else:
                self._was_ready = True
                self._set(State.READY)
                _log.info("service_ready", service=self._node.name, seconds=round(_age(running), 2))
                return ""
        return "stopped"

    def _until_exit(self, running: Running) -> str:
        looked = time.monotonic()
        while self._pause(_EXIT_POLL_SECONDS):
            if (code := running.exit_code()) is not None:
                return _ended(code)
            if time.monotonic() - looked >= (self._node.watch_seconds or 5.0):
                limit(self._log_file)
                self._look()
                looked = time.monotonic()
        return "stopped"

    def _clear(self) -> None:
        """End what a dead or unfit process left, so that its successor finds ports and files free."""
        if self._running is not None:
            self._running.end(self._node.stop_seconds if self._running.exit_code() is None else 0)
            self._running = None

    def _finish(self) -> None:
        self._board.wait_for_stopped(self._after)
        if self._running is None:
            return
        self._set(State.STOPPING)
        if not self._running.end(self._node.stop_seconds):
            _log.warning("service_killed", service=self._node.name, after=self._node.stop_seconds)
        kill(members(self._running.identity))
        self._running = None
        self._board.update(self._node.name, identity=None)


def _age(running: Running) -> float:
    return time.monotonic() - running.started


def _ended(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
