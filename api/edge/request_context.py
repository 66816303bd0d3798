"""What the calls go through that are not hot: request ids, headers, metrics, who calls, and what was sent."""

from __future__ import annotations

from time import perf_counter

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.callers import Gate
from api.access.route_access import Access, RouteAccess
from api.audit.calls import CallLog
from api.edge.errors import answer_to
from api.edge.hot import problem_of
from api.evaluation.failures import PREFIX, in_protocols_words
from api.http import headers as answer_headers
from api.http.body import ClientGone, Headers, is_lines, read_body
from api.http.head import client_of, request_id_of
from api.http.json_rules import check_body
from api.http.problems import Problem
from api.http.refusal_log import REFUSALS, Refusal, unmatched
from api.metrics import REQUEST_SECONDS, REQUESTS
from neonblue.contract.codes import Code
from neonblue.contract.limits import REQUEST_BYTES
from neonblue.log_lines import REQUEST_ID

_PROBES = frozenset({"/healthz", "/readyz"})
"""Asked ten times a second while the stack starts; that the API is not ready yet is their answer."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STRANGERS_BYTES = 4 * 1024
"""Of a body that anybody may send: a token to log in with."""


class RequestContext:
    """Gives each request an id, which its answer carries, and counts it by its route's template.

    Whoever may not make the call is refused by its head. Only then the body is read, beforehand: what is too large, or
    can't be stored, goes no further. Every error that nothing else turned into an answer becomes a problem here.
    `state.headers` are added to the answer, whatever it is.
    """

    def __init__(self, app: ASGIApp, gate: Gate, access: RouteAccess, calls: CallLog) -> None:
        self._app = app
        self._gate = gate
        self._access = access
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        request_id = request_id_of(headers)
        REQUEST_ID.set(request_id)  # the call is a task of its own
        state = scope.setdefault("state", {})
        state |= {"request_id": request_id, "headers": [], "body": b""}
        started = perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = [*message["headers"], *state["headers"], (b"x-request-id", request_id.encode())]
                message["headers"] = given + answer_headers.missing(given, scope["path"], scope["scheme"])
            await send(message)

        try:
            _check_address(scope)
            found = self._access.find(scope)
            if found is not None:
                scope["route"], access = found
                await self._admit(access, scope)
                if scope["method"] in _WITH_BODY:
                    limit = REQUEST_BYTES if access.known else _STRANGERS_BYTES
                    state["body"] = await _read(scope["path"], receive, headers, limit)
                    receive = _replay(state["body"], receive)
            await self._app(scope, receive, send_with_headers)
        except ClientGone:
            return
        except Exception as error:
            if status:
                raise
            state["problem"] = in_protocols_words(problem_of(error), scope["path"])
            await answer_to(state["problem"], Request(scope))(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = perf_counter() - started
            REQUESTS.add(route, str(status or 500))
            REQUEST_SECONDS.observe(route, seconds)
            if status >= 400 and route not in _PROBES:
                REFUSALS.note(_refusal(scope, status, seconds))
            if status:
                self._count_read(scope, status)

    def _count_read(self, scope: Scope, status: int) -> None:
        """For the audit log, which has what was changed already."""
        caller, route = scope["state"].get("caller"), scope.get("route")
        if caller is not None and route is not None:
            self._calls.read(scope["method"], route.path, caller.token.id, status, client_of(scope))

    async def _admit(self, access: Access, scope: Scope) -> None:
        """Raises Problem: 401, 403, 429, 503."""
        if access.known:
            caller = await self._gate.caller_of(Request(scope), in_form=access.in_form)
            if access.scope is not None:
                caller.check_may(access.scope)


def _refusal(scope: Scope, status: int, seconds: float) -> Refusal:
    state = scope["state"]
    caller, matched = state.get("caller"), scope.get("route")
    return Refusal(
        method=scope["method"],
        route=unmatched(scope["path"]) if matched is None else matched.path,
        status=status,
        request_id=state["request_id"],
        seconds=seconds,
        token=None if caller is None else caller.token.id,
        problem=state.get("problem"),
        address=client_of(scope),
    )


def _check_address(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Problem(400, Code.NUL_CHARACTER, "The address must not contain the NUL character")


async def _read(path: str, receive: Receive, headers: Headers, limit: int) -> bytes:
    body = await read_body(receive, headers, limit)
    if body and path.startswith(("/v1/", PREFIX)):
        if is_lines(headers):
            raise Problem(
                415, "unsupported_media_type", "The body must be application/json", field="content-type"
            )
        await check_body(body)
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hands out the body that was read, then whatever comes."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
