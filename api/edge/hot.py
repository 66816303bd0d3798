"""The two calls that carry the load, straight on ASGI: no routing, no dependency injection, no validation twice.

Everything else is FastAPI's. Their OpenAPI operations are in each resource's `schemas`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import msgspec
import psycopg
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import tokens
from api.access.tokens import Token
from api.edge.services import Services
from api.events.service import Retryable
from api.http.body import ClientGone, Headers, is_lines, read_body
from api.http.head import client_of, idempotency_key_of, request_id_of
from api.http.headers import OF_HOT_ANSWERS
from api.http.problems import CONTENT_TYPE, Problem, disk_full, unavailable
from api.http.refusal_log import REFUSALS, Refusal
from api.metrics import REQUEST_SECONDS, REQUESTS
from api.postgres.failures import DiskFull, Unavailable
from neonblue.contract import clocks
from neonblue.contract.answers import AssignmentsAnswer, Status
from neonblue.contract.codes import Code
from neonblue.contract.violation import ContractError
from neonblue.log_lines import REQUEST_ID

log = structlog.get_logger("api.http")

ASSIGNMENTS = "/v1/assignments"
WAITED = "neonblue.waited"
"""In a request's scope: asks how long it has waited for this process to read it."""

_UNDER_WAY = 1_000
"""Requests at once; each may hold a body of the largest size."""

_SENT_AT = clocks.HEADER.encode()
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body."""

    status: int
    body: bytes


Handler = Callable[[Token, Headers, Receive, datetime | None], Awaitable[Answer]]


class HotCalls:
    """Answers `POST /v1/events` and `POST /v1/assignments` itself and hands everything else on."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._services = services
        self._rest = rest
        self._calls: dict[str, tuple[tokens.Scope, Handler]] = {
            "/v1/events": (tokens.Scope.INGEST, self._events),
            ASSIGNMENTS: (tokens.Scope.ASSIGN, self._assignments),
        }
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._calls.get(scope["path"]) if scope["type"] == "http" else None
        if call is None or scope["method"] != "POST":
            await self._rest(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._handle(scope, receive, send, *call)
        finally:
            self._under_way -= 1

    async def _handle(
        self, scope: Scope, receive: Receive, send: Send, right: tokens.Scope, handler: Handler
    ) -> None:
        started = perf_counter()
        headers: Headers = dict(scope["headers"])
        arrived = _arrived(scope) if _SENT_AT in headers else None
        request_id = request_id_of(headers)
        REQUEST_ID.set(request_id)  # the call is a task of its own
        extra = list(OF_HOT_ANSWERS)
        token: Token | None = None
        problem: Problem | None = None
        try:
            if self._under_way > _UNDER_WAY:
                raise unavailable("too many requests are under way")
            services, header = self._services, headers.get(b"authorization")
            host = scope["client"][0] if scope["client"] else None
            token = await services.tokens.authorize(header, right, headers.get(b"origin"), host)
            extra += await services.admission.admit(token, host)
            answer = await handler(token, headers, receive, arrived)
            status, body, kind = answer.status, answer.body, b"application/json"
        except ClientGone:
            return
        except Exception as error:  # one place turns whatever happened into an answer
            problem = problem_of(error)
            status, body, kind = problem.status, problem.body(request_id), CONTENT_TYPE.encode()
            extra += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        await _respond(send, status, body, kind, request_id, extra)
        path = scope["path"]
        REQUESTS.add(path, str(status))
        seconds = perf_counter() - started
        REQUEST_SECONDS.observe(path, seconds)
        if status >= 400:
            number = None if token is None else token.id
            told = body if problem is None else b""
            REFUSALS.note(
                Refusal("POST", path, status, request_id, seconds, number, problem, told, client_of(scope))
            )

    async def _events(
        self, token: Token, headers: Headers, receive: Receive, arrived: datetime | None
    ) -> Answer:
        services = self._services
        services.disk.admit()
        services.pipeline.admit()
        lines = is_lines(headers)
        retryable = _retryable(headers, token.id)
        sent_at = headers.get(_SENT_AT)
        body = await read_body(receive, headers)
        answer = await services.events.store(
            body,
            lines=lines,
            retryable=retryable,
            sent_at=None if sent_at is None else sent_at.decode("latin-1"),
            arrived=arrived,
        )
        return Answer(200 if answer.accepted or answer.duplicates else 422, _encode(answer))

    async def _assignments(self, _: Token, headers: Headers, receive: Receive, __: datetime | None) -> Answer:
        if is_lines(headers):
            raise Problem(
                415, "unsupported_media_type", "The body must be application/json", field="content-type"
            )
        answers, single = await self._services.assignments.assign(await read_body(receive, headers))
        if not single:
            refused = bool(answers) and all(answer.status is Status.REJECTED for answer in answers)
            return Answer(422 if refused else 200, _encode(AssignmentsAnswer(answers)))
        answer = answers[0]
        if answer.status is Status.REJECTED:
            raise _refusal(answer.code or "", answer.message or "", answer.field, answer.variant_key)
        return Answer(200, _encode(answer))


def problem_of(error: Exception) -> Problem:
    """What the client is told of an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ContractError):
        status = 413 if error.violation.code in ("too_many_items", "too_large") else 400
        return Problem.of(error.violation, status)
    if isinstance(error, DiskFull):
        return disk_full(str(error))
    if isinstance(error, Unavailable):
        return unavailable(str(error))
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError):
        return unavailable("PostgreSQL can't be reached")
    if isinstance(error, psycopg.DataError):
        log.warning("data_refused", error=type(error).__name__, sqlstate=error.sqlstate)
        return Problem(422, Code.REFUSED_BY_STORE, "PostgreSQL can't hold one of the values")
    log.error("request_failed", exc_info=error)
    return Problem(500, "internal", "Something went wrong here; the request id names it in the log")


def _refusal(code: str, message: str, field: str | None, variant_key: str | None) -> Problem:
    status = {"unknown_experiment": 404, "not_running": 409, "assignment_conflict": 409}.get(code, 422)
    members = {} if variant_key is None else {"variant_key": variant_key}
    return Problem(status, code, message, field=field, members=members)


def _arrived(scope: Scope) -> datetime:
    """When the request came to this machine, whoever was busy then."""
    waited = scope.get(WAITED)
    now = datetime.now(UTC)
    return now if waited is None else now - waited()


def _retryable(headers: Headers, token_id: int) -> Retryable | None:
    given = headers.get(b"idempotency-key")
    return None if given is None else Retryable(token_id, idempotency_key_of(given))


async def _respond(
    send: Send, status: int, body: bytes, kind: bytes, request_id: str, extra: list[tuple[bytes, bytes]]
) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
