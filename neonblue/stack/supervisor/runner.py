"""Runs one node in a thread of its own: what services and steps have in common, and steps."""

from __future__ import annotations

import threading
from collections.abc import Collection

import structlog

from neonblue.backoff import backoff
from neonblue.stack.errors import explain
from neonblue.stack.supervisor.board import Board, State
from neonblue.stack.supervisor.nodes import Node, Step

_log = structlog.get_logger("neonblue.stack")


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
            self._live_and_end()
        finally:
            self._set(State.STOPPED)  # whatever became of it: others wait for that before they stop

    def _live_and_end(self) -> None:
        try:
            if self._board.wait_for_ready(self._before, self._node.patience_seconds):
                self._live()
        except Exception as error:
            _log.exception("node_failed", node=self._node.name)
            self._set(State.FAILED, explain(error))
        self._board.stopping.wait()
        try:
            self._finish()
            self._node.close()
        except Exception:
            _log.exception("node_not_ended_well", node=self._node.name)

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
            self._set(State.READY, self._node.note())


class StepRunner(Runner):
    """Does a step, repeating it a bounded number of times, then watches it where it wants to be watched."""

    _node: Step

    def _live(self) -> None:
        if not self._is_done():
            return
        while self._node.watch_seconds is not None:
            self._look()
            if not self._pause(self._node.watch_seconds):
                return

    def _is_done(self) -> bool:
        """Do it; whether that succeeded before its attempts were used up, or the stack stopped."""
        attempt = 0
        while True:
            self._set(State.STARTING)
            try:
                self._node.run()
            except Exception as error:
                attempt += 1
                _log.warning("step_failed", node=self._node.name, attempt=attempt, error=explain(error))
                if attempt >= self._node.attempts and self._board.has_room():
                    self._set(State.FAILED, explain(error))
                    return False
                self._board.update(self._node.name, detail=explain(error))
                if not self._pause(min(2.0, backoff(attempt))):
                    return False
            else:
                self._set(State.READY, self._node.note())
                return True
