"""What is known of a service's process that serves, and why a life of one has ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from neonblue.stack.errors import explain
from neonblue.stack.processes.liveness import Course, Patience
from neonblue.stack.supervisor.nodes import Service


@dataclass(frozen=True, slots=True)
class End:
    """Why a life ended. A process that hangs is killed: it would not follow a request.

    asked: somebody wants it started anew, so that it is no failure.
    """

    reason: str
    hangs: bool = False
    asked: bool = False


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


@dataclass(slots=True)
class Watch:
    """What is known of a process that serves, and the question that it has not answered yet."""

    patience: Patience
    course: Course
    question: Question | None = None


def ended(code: int) -> str:
    """How a process ended, in words."""
    return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
