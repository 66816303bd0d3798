"""The frame of every page, and how a page is answered.

A page is a template and typed values. What runs or styles it are files of this host: the policy has no exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from api.access.callers import Caller
from api.access.tokens import Scope
from neonblue.statistics import numbers
from neonblue.texts import instant, person, plain

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {"content-security-policy": POLICY, "cache-control": "no-store", "vary": "accept"}
_FOLDERS = (
    "shared", "login", "experiments", "experiment", "editing", "catalogue", "layers", "person", "erasure", "pipeline",
    "audit", "tokens", "errors",
)  # fmt: skip
_ROLES = (Scope.ADMIN, Scope.EDITOR, Scope.VIEWER)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page. csrf: what the session's forms must carry, of this page; empty without a session."""

    name: str
    role: str
    csrf: str = ""

    @property
    def may_edit(self) -> bool:
        """Whether steps are offered. What is sent is checked all the same."""
        return self.role in (Scope.ADMIN, Scope.EDITOR)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page.

    root: before every path of this host. title: of the window. live: the path of what the page is told while it is
    open; empty where it does not change by itself. layout: the template around it.
    place: which place of the navigation the page belongs to.
    """

    root: str
    title: str
    visitor: Visitor | None = None
    dagster: str = ""
    live: str = ""
    layout: str = "frame.html"
    place: str = "experiments"


def visitor_of(caller: Caller) -> Visitor:
    """The caller as a page names them."""
    role = next(role for role in _ROLES if role in caller.token.scopes)
    return Visitor(
        plain(caller.token.name), role.value, caller.session.masked_csrf() if caller.session else ""
    )


def root_of(request: HTTPConnection) -> str:
    """What stands before every path of this host; empty where it has its own name."""
    root: str = request.scope.get("root_path", "")
    return root


def answer(
    template: str, frame: Frame, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """The page as it is sent."""
    page = render(template, frame, **values)
    return HTMLResponse(page, status, headers={**HEADERS, **(headers or {})})


def render(template: str, frame: Frame, **values: Any) -> str:
    """The page as HTML, every text escaped."""
    return _environment().get_template(template).render(frame=frame, **values)


def tied(text: str) -> str:
    """Spaces before % and pp do not break."""
    return text.replace(" %", "\u00a0%").replace(" pp", "\u00a0pp")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(f"api.web.{folder}") for folder in _FOLDERS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": _clock,
        "count": numbers.count,
        "instant": instant,
        "iso": _iso,
        "person": person,
        "plain": plain,
        "tied": tied,
    }
    return environment


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _clock(moment: datetime) -> str:
    """The time of the day, for what is new."""
    return f"{moment.astimezone(UTC):%H:%M:%SZ}"
