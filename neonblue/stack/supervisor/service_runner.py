"""Runs one service in a thread of its own: prepare, start, check, watch, restart, stop its process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import psutil
import structlog

from neonblue.backoff import backoff
from neonblue.settings import Settings
from neonblue.stack.errors import explain
from neonblue.stack.processes.activity import Activity, observe
from neonblue.stack.processes.command import Command
from neonblue.stack.processes.listeners import Door
from neonblue.stack.processes.liveness import Course, Look, Patience
from neonblue.stack.processes.process import Identity, Running, kill, members, start, yield_to_others
from neonblue.stack.supervisor.board import Board, State
from neonblue.stack.supervisor.logs import limit
from neonblue.stack.supervisor.nodes import Service
from neonblue.stack.supervisor.restarts import How, Leaving, Request
from neonblue.stack.supervisor.runner import Runner
from neonblue.stack.supervisor.watching import End, Question, Watch, ended

_log = structlog.get_logger("neonblue.stack")

STABLE_SECONDS = 60.0
GIVE_UP_AFTER = 4
"""So many failed starts end the hope for a service that never was ready, where the disk has room; one that was is
always restarted."""
_POLL_SECONDS = 0.1
_EXIT_POLL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
"""How often a process is looked at that starts, or that does not answer."""
_QUICK_SECONDS = 2.0
"""An answer that takes longer is told."""
_SUCCESSOR_SECONDS = 60.0
"""A successor that is not ready after so long is given up, and the process that serves goes on."""


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
        self._door = Door(node.listens())
        self._request: Request | None = None
        self._doing: Request | None = None
        self._leaving: Leaving | None = None
        self._hears = False

    @property
    def service(self) -> str:
        return self._node.name

    @property
    def processes(self) -> tuple[Identity, ...]:
        """Its process, and the one that takes over or is taken over from."""
        status, running = self._board[self._node.name], self._running
        known = (status.identity, status.beside, running.identity if running is not None else None)
        return tuple(one for one in known if one is not None)

    def restart(self, settings: Settings) -> Request:
        """Ask for a new process in place of the one that runs. One at a time."""
        request = Request(self._node.name, settings)
        state = self._board[self._node.name].state
        if self._board.stopping.is_set():
            request.answer(How.FAILED, "the stack stops")
        elif not self._hears and state == State.FAILED:
            request.answer(How.FAILED, "it failed for good: 'neonblue down' and 'neonblue up' start it again")
        elif state not in (State.READY, State.UNREADY, State.FAILED):
            request.answer(How.FAILED, f"it is {state}: wait until it is ready")
        else:
            self._request = request
            if not self._hears:  # it has ended in between, and may have answered all that it knew of
                request.answer(How.FAILED, "the stack stops")
        return request

    def _live(self) -> None:
        self._hears = True
        try:
            self._lives()
        finally:
            self._hears = False
            self._answer(How.FAILED, "the stack stops")

    def _lives(self) -> None:
        failures = 0
        while not self._board.stopping.is_set():
            began = time.monotonic()
            try:
                end = self._one_life()
            except Exception as error:
                _log.exception("service_not_watched", node=self._node.name)
                end = End(explain(error))
            if self._board.stopping.is_set():
                return
            if end.asked:
                failures = 0
                continue
            reason = end.reason
            self._answer(How.FAILED, reason)
            if self._leaving is not None:
                self._leaving.request.answer(How.FAILED, f"its successor {reason}")
            stable = self._was_ready and time.monotonic() - began > STABLE_SECONDS
            failures = 1 if stable else failures + 1
            if not self._was_ready and failures >= GIVE_UP_AFTER and self._board.has_room():
                self._door.close()
                self._set(State.FAILED, reason)
                while (request := self._next_request()) is None:
                    if not self._pause(_EXIT_POLL_SECONDS):
                        return
                self._node.renew(request.settings)
                failures = 0
                continue
            delay = 0.0 if stable else backoff(failures)
            _log.warning("service_restarts", node=self._node.name, reason=reason, delay=delay)
            restarts = self._board[self._node.name].restarts + 1
            self._board.update(
                self._node.name, state=State.RESTARTING, restarts=restarts, identity=None, detail=reason
            )
            if not self._pause(delay):
                return

    def _one_life(self) -> End:
        """From preparation to the process's end, or to that of the last of its successors."""
        again = self._was_ready
        try:
            self._clear(self._node.stop_seconds)  # one that could be watched no longer
            self._set(State.PREPARING)
            limit(self._log_file)
            self._node.prepare()
            command = self._node.command()
            # Others wait for it by now. One that yields would not get ready at all while the processors are busy.
            self._running = self._start(replace(command, nice=0) if again else command)
        except Exception as error:
            _log.warning("service_not_started", node=self._node.name, error=explain(error))
            return End(explain(error))
        self._board.update(
            self._node.name, state=State.STARTING, identity=self._running.identity, started=time.time()
        )
        end = self._until_ready(self._running)
        if end is None:
            if again and command.nice:
                yield_to_others(self._running.identity, command.nice)
            end = self._until_exit()
        if not self._board.stopping.is_set():
            if end.asked:
                self._board.update(self._node.name, state=State.RESTARTING, detail=end.reason)
            self._clear(0.0 if end.hangs else self._node.stop_seconds)
        return end

    def _start(self, command: Command) -> Running:
        """Start a process, with the sockets that are held for it. Raises ``StackError``, ``OSError``."""
        with self._door.for_a_process() as descriptors:
            return start(replace(command, descriptors=descriptors), self._log_file)

    def _until_ready(self, running: Running) -> End | None:
        """None once ready, else why it won't be."""
        node = self._node
        patience = Patience(node.stopped_seconds, node.start_seconds, node.longest_start_seconds)
        course, said = Course.begin(self._see(running)), ""
        while self._pause(_POLL_SECONDS):
            if (code := running.exit_code()) is not None:
                return End(f"{ended(code)} before it was ready")
            takes = self._door.is_used
            try:
                if takes:
                    node.check()
                    node.settle()
            except Exception as error:
                said = explain(error)
                self._board.update(node.name, detail=said)
            else:
                if takes:
                    self._was_ready = True
                    self._set(State.READY)
                    _log.info("service_ready", node=node.name, seconds=round(_age(running), 2))
                    if self._doing is not None:  # one that has come since must have its settings too
                        self._doing.answer(How.RESTARTED)
                        self._doing = None
                    return None
            if time.monotonic() - course.last.at >= _LOOK_SECONDS:
                # One that answers already waits for others: Dagster's page for the definitions.
                course = course.after(self._see(running, answered=takes and self._answers()))
                if why := course.hangs(patience):
                    return End(f"it hangs in its start: {why}: {said}", hangs=True)
                if _age(running) > node.longest_start_seconds:
                    return End(f"not ready after {_age(running):.0f} s: {said}", hangs=True)
        return End("the stack stops")

    def _until_exit(self) -> End:
        """Watch the process, which was ready, and those that take over from it, until one ends or hangs."""
        watch = self._begin_to_watch()
        while self._pause(_EXIT_POLL_SECONDS):
            if (end := self._watched(watch)) is not None:
                return end
            if self._leaving is not None or (request := self._next_request()) is None:
                continue
            successor = self._node.successor(request.settings)
            if successor is None:
                self._node.renew(request.settings)
                return End("it is restarted", asked=True)
            if (end := self._hand_over(watch, successor, request)) is not None:
                return end
            watch = self._begin_to_watch()
        return End("the stack stops")

    def _begin_to_watch(self) -> Watch:
        """Watch the process that serves, which has just answered."""
        node = self._node
        patience = Patience(node.stopped_seconds, node.idle_seconds, node.busy_seconds)
        return Watch(patience, Course.begin(self._see(self._process(), answered=True)))

    def _watched(self, watch: Watch) -> End | None:
        """Look at the process that serves where it is time to; why it does so no longer."""
        node, running = self._node, self._process()
        if (code := running.exit_code()) is not None:
            return End(ended(code))
        course, question = watch.course, watch.question
        calm = question is None and not course.silent and not course.last.stopped and self._is_ready()
        pause = (node.watch_seconds or 5.0) if calm else _LOOK_SECONDS
        if time.monotonic() - course.last.at < pause and (question is None or question.is_alive()):
            return None
        if question is None:
            limit(self._log_file)
            question = Question(node)
            question.join(_EXIT_POLL_SECONDS)
        just_asked = not course.silent and question.is_alive()
        watch.course = course.after(self._see(running, answered=question.answered or just_asked))
        self._tell(watch.course, question)
        if why := watch.course.hangs(watch.patience):
            return End(f"it hangs: {why}", hangs=True)
        if question.answered and (why := node.outdated()):
            return End(why)
        watch.question = question if question.is_alive() else None
        return None

    def _hand_over(self, watch: Watch, command: Command, request: Request) -> End | None:
        """Start a second process on the same sockets; once it takes connections, let the first one go.

        Why the first one ended or hangs, where it does before that.
        """
        name, old, new = self._node.name, self._process(), None
        end, reason = None, ""
        try:
            new = self._start(command)
            self._board.update(name, beside=new.identity)
            end, reason = self._until_it_takes(new, watch)
        except Exception as error:
            reason = explain(error)
        if new is None or end is not None or reason:
            if new is not None:
                new.end(0)
            self._board.update(name, beside=None)
            _log.warning("successor_given_up", node=name, reason=end.reason if end is not None else reason)
            if end is None:
                self._answer(How.FAILED, f"its successor {reason}; the process that served goes on")
            else:
                self._answer(How.FAILED, f"while its successor started: {end.reason}; it is started again")
            return end
        self._node.renew(request.settings)
        self._running = new
        self._board.update(name, identity=new.identity, beside=old.identity, started=time.time())
        _log.info("service_handed_over", node=name, seconds=round(_age(new), 2))
        old.ask_to_end()
        self._leaving, self._doing = Leaving(old, request, time.monotonic() + self._node.stop_seconds), None
        return None

    def _until_it_takes(self, successor: Running, watch: Watch) -> tuple[End | None, str]:
        """Wait until it takes connections; why the process that serves is there no longer, or why it does not."""
        while self._pause(_POLL_SECONDS):
            if self._door.is_used:
                return None, ""
            if (end := self._watched(watch)) is not None:
                return end, ""
            if (code := successor.exit_code()) is not None:
                return None, ended(code)
            if _age(successor) > _SUCCESSOR_SECONDS:
                return None, f"was not ready after {_SUCCESSOR_SECONDS:.0f} s"
        return None, "was not ready before the stack stopped"

    def _pause(self, seconds: float) -> bool:
        """Wait, and see off meanwhile a process that was taken over from; False when the stack is to stop."""
        end = time.monotonic() + seconds
        while True:
            self._see_off()
            left = end - time.monotonic()
            if left <= _EXIT_POLL_SECONDS:
                return super()._pause(max(left, 0.0))
            if not super()._pause(_EXIT_POLL_SECONDS):
                return False

    def _see_off(self) -> None:
        """Look after the process that was taken over from."""
        if self._leaving is None:
            return
        try:
            if not self._leaving.look():
                return
        except Exception as error:  # what keeps the service alive goes on, and looks again
            _log.warning("leaving_not_seen", node=self._node.name, error=explain(error))
            return
        self._leaving = None
        self._board.update(self._node.name, beside=None)

    def _is_ready(self) -> bool:
        return self._board[self._node.name].state == State.READY

    def _process(self) -> Running:
        assert self._running is not None  # noqa: S101 - it was started
        return self._running

    def _next_request(self) -> Request | None:
        """What is asked for, if anything: from now on it is being done."""
        if self._request is not None:
            self._doing, self._request = self._request, None
            return self._doing
        return None

    def _answer(self, how: How, detail: str = "") -> None:
        """Answer what is being done and what is asked for."""
        done, self._doing = self._doing, None
        asked, self._request = self._request, None
        for request in (done, asked):
            if request is not None:
                request.answer(how, detail)

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
            _log.warning("stopped_processes_killed", node=self._node.name, processes=len(lasting))
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
        self._door.close()
        if self._leaving is not None:
            self._leaving.finish()
        if self._running is None:
            return
        self._set(State.STOPPING)
        try:
            if not self._running.end(self._node.stop_seconds):
                _log.warning("service_killed", node=self._node.name, after=self._node.stop_seconds)
        finally:
            kill(members(self._running.identity))
        self._running = None
        self._board.update(self._node.name, identity=None)


def _age(running: Running) -> float:
    return time.monotonic() - running.started
