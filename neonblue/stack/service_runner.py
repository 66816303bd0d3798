"""Runs one service in a thread of its own: prepare, start, check, watch, restart, stop its process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from neonblue.stack.activity import Activity, observe
from neonblue.stack.board import Board, State
from neonblue.stack.liveness import Course, Look, Patience
from neonblue.stack.logs import limit
from neonblue.stack.nodes import Service
from neonblue.stack.process import Running, kill, members, start
from neonblue.stack.runner import Runner, backoff, explain

_log = structlog.get_logger("neonblue.stack")

STABLE_SECONDS = 60.0
GIVE_UP_AFTER = 4
"""So many failed starts end the hope for a service that never was ready; one that was is always restarted."""
_POLL_SECONDS = 0.1
_EXIT_POLL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
"""How often a process is looked at that starts, or that does not answer."""
_QUICK_SECONDS = 2.0
"""An answer that takes longer is told."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a life ended. A process that hangs is killed: it would not follow a request."""

    reason: str
    hangs: bool = False


class Question(threading.Thread):
    """Asks a service for an answer, in a thread of its own: one that hangs holds up nobody."""

    def __init__(self, service: Service) -> None:
        super().__init__(name=f"ask-{service.name}", daemon=True)
        self._service = service
        self.error = ""
        self.start()

    def run(self) -> None:
        try:
            self._service.answer(self._service.idle_seconds)
        except Exception as error:
            self.error = explain(error) or "no answer"

    @property
    def answered(self) -> bool:
        return not self.is_alive() and not self.error


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
        self._stopped: frozenset[int] = frozenset()

    def _live(self) -> None:
        failures = 0
        while not self._board.stopping.is_set():
            began = time.monotonic()
            reason = self._one_life()
            if self._board.stopping.is_set():
                return
            stable = self._was_ready and time.monotonic() - began > STABLE_SECONDS
            failures = 1 if stable else failures + 1
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
        end = self._until_ready(self._running) or self._until_exit(self._running)
        if not self._board.stopping.is_set():
            self._clear(0.0 if end.hangs else self._node.stop_seconds)
        return end.reason

    def _until_ready(self, running: Running) -> End | None:
        """None once ready, else why it won't be."""
        node = self._node
        patience = Patience(node.stopped_seconds, node.start_seconds, node.longest_start_seconds)
        course, said = Course.begin(self._see(running)), ""
        while self._pause(_POLL_SECONDS):
            if (code := running.exit_code()) is not None:
                return End(f"{_ended(code)} before it was ready")
            try:
                node.check()
                node.settle()
            except Exception as error:
                said = explain(error)
                self._board.update(node.name, detail=said)
            else:
                self._was_ready = True
                self._set(State.READY)
                _log.info("service_ready", service=node.name, seconds=round(_age(running), 2))
                return None
            if time.monotonic() - course.last.at >= _LOOK_SECONDS:
                # One that answers already waits for others: Dagster's page for the definitions.
                course = course.after(self._see(running, answered=self._answers()))
                if why := course.hangs(patience):
                    return End(f"it hangs in its start: {why}: {said}", hangs=True)
                if _age(running) > node.longest_start_seconds:
                    return End(f"not ready after {_age(running):.0f} s: {said}", hangs=True)
        return End("the stack stops")

    def _until_exit(self, running: Running) -> End:
        """Watch a process that was ready until it ends or hangs."""
        node = self._node
        patience = Patience(node.stopped_seconds, node.idle_seconds, node.busy_seconds)
        course, question = Course.begin(self._see(running, answered=True)), None
        while self._pause(_EXIT_POLL_SECONDS):
            if (code := running.exit_code()) is not None:
                return End(_ended(code))
            calm = question is None and not course.silent and not course.last.stopped
            pause = (node.watch_seconds or 5.0) if calm else _LOOK_SECONDS
            if time.monotonic() - course.last.at < pause and (question is None or question.is_alive()):
                continue
            if question is None:
                limit(self._log_file)
                question = Question(node)
                question.join(_EXIT_POLL_SECONDS)
            just_asked = not course.silent and question.is_alive()
            course = course.after(self._see(running, answered=question.answered or just_asked))
            self._tell(course, question)
            if why := course.hangs(patience):
                return End(f"it hangs: {why}", hangs=True)
            if question.answered and (why := node.outdated()):
                return End(why)
            if not question.is_alive():
                question = None
        return End("the stack stops")

    def _answers(self) -> bool:
        try:
            self._node.answer(_QUICK_SECONDS)
        except Exception:
            return False
        return True

    def _tell(self, course: Course, question: Question) -> None:
        """Note on the board whether it is ready."""
        if question.answered:
            self._look()
        elif question.error or course.silent >= _QUICK_SECONDS:
            self._set(State.UNREADY, question.error or "it has not answered yet")

    def _see(self, running: Running, *, answered: bool = False) -> Look:
        activity = observe(running.identity)
        self._end_stopped(activity)
        return Look(time.monotonic(), activity.cpu_seconds, answered, activity.leader_stopped)

    def _end_stopped(self, activity: Activity) -> None:
        """Kill descendants that were stopped at two looks: to their parent they are as those that died."""
        lasting = [process for process in activity.stopped if process.pid in self._stopped]
        if lasting:
            _log.warning("stopped_processes_killed", service=self._node.name, processes=len(lasting))
            for process in lasting:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._stopped = frozenset(process.pid for process in activity.stopped)

    def _clear(self, seconds: float) -> None:
        """End what a dead or unfit process left, so that its successor finds ports and files free."""
        if self._running is not None:
            self._running.end(seconds if self._running.exit_code() is None else 0)
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
