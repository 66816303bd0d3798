"""What can go wrong in running the stack. Every message says what to do."""

from __future__ import annotations


class StackError(Exception):
    """The root of this package's errors; `code` is stable."""

    code = "stack_error"


class ArtifactError(StackError):
    """A downloaded artefact is missing or is not what the lock says."""

    code = "artifact"


class AlreadyRunningError(StackError):
    """Another process runs the stack in this data folder."""

    code = "already_running"


class PortsTakenError(StackError):
    """Ports that the stack needs are in use."""

    code = "ports_taken"


class RequirementError(StackError):
    """This machine lacks something the stack needs."""

    code = "requirement"


class ServiceError(StackError):
    """A service could not be prepared, or did not become ready."""

    code = "service"

    def __init__(self, service: str, message: str) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service


class NotReadyError(ServiceError):
    """A service did not become ready in time."""

    code = "not_ready"


def explain(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if isinstance(error, StackError) else f"{type(error).__name__}: {text}"
