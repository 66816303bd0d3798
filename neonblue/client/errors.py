"""What can go wrong when talking to NeonBlue."""

from __future__ import annotations

from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """An RFC 9457 problem document; members of NeonBlue's own beside the standard's."""

    title: str = ""
    detail: str = ""
    status: int = 0
    code: str = ""
    field: str | None = None
    errors: list[dict[str, Any]] | None = None


class ClientError(Exception):
    """Base of every error this client raises; `code` is stable."""

    code = "client_error"


class QueueFullError(ClientError):
    """The queue of unsent events is full: events are made faster than they can be stored."""

    code = "queue_full"


class ClosedError(ClientError):
    """The client was closed; make another one."""

    code = "closed"


class UnavailableError(ClientError):
    """No answer that says the data was stored, after every retry. The same call may be made again safely."""

    code = "unavailable"


class ApiError(ClientError):
    """The API refused the request. `status` is the HTTP status, `code` the problem's stable code."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(f"{status} {problem.code}: {problem.detail or problem.title}")
        self.status = status
        self.code = problem.code
        self.problem = problem


class AuthenticationError(ApiError):
    """401 or 403: the token is missing, unknown, or lacks the scope."""


class NotFoundError(ApiError):
    """404: there is no such thing."""


class ConflictError(ApiError):
    """409: it exists already, or the step is not legal in the present state."""


class PreconditionError(ApiError):
    """412: it was changed meanwhile; read it again."""


class ValidationError(ApiError):
    """400, 413 or 422: the data broke a rule; `problem.field` names where."""


_CLASSES: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionError,
    413: ValidationError,
    422: ValidationError,
}


def api_error(status: int, body: bytes) -> ApiError:
    """The error for an answer of `status`; a body that is no problem document becomes its detail."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(detail=body[:500].decode(errors="replace"), status=status)
    return _CLASSES.get(status, ApiError)(status, problem)
