"""Refusals for people: a page, or the way to the log-in. Programs are told problems."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from api.access.sessions import COOKIE
from api.http.problems import Problem
from api.web.errors.page import refused_of
from api.web.shared.frame import Frame, answer, root_of

_PROGRAMS = ("/v1", "/ofrep", "/metrics", "/healthz", "/readyz", "/openapi.json", "/assets/")


def page_of(problem: Problem, request: HTTPConnection) -> Response | None:
    """What a browser is shown; None where the call is not made by a person who reads pages."""
    if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith(_PROGRAMS):
        return None
    if problem.status == 401:
        return RedirectResponse(
            _log_in(request), 303, headers={"cache-control": "no-store", "vary": "accept"}
        )
    refused = refused_of(problem, request.scope["state"]["request_id"])
    headers = {name: value for name, value in problem.headers.items() if name.lower() == "retry-after"}
    return answer(
        "refused.html", Frame(root_of(request), refused.title), problem.status, headers, refused=refused
    )


def _log_in(request: HTTPConnection) -> str:
    """The log-in, which leads back here; of a form, to the page that it stood on."""
    raw: bytes | None = request.scope.get("raw_path")
    back = quote(request.url.path) if raw is None else raw.partition(b"?")[0].decode("latin-1")
    if request.scope.get("method") in ("GET", "HEAD") and request.url.query:
        back = f"{back}?{request.url.query}"
    ended = "&ended=1" if COOKIE in request.cookies else ""
    return f"{root_of(request)}/login?next={quote(back, safe='')}{ended}"
