"""The open pages: signing in with a token, signing out, and whether the page lives."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from neonblue.pages import MEDIA_TYPES, own_file
from orchestration.web import pages
from orchestration.web.api import Api
from orchestration.web.callers import COOKIE, Callers, Credential, credential_of, session_of
from orchestration.web.refusals import Refusal, away

_FORM = "application/x-www-form-urlencoded"
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
_NOT_KNOWN = "That is no token that is known here: it may have been revoked, or have expired"
_NOT_FOR_PEOPLE = "A token to sign in with has the scope viewer, editor or admin"
_NO_SESSIONS = (
    "Nobody can sign in now: the place for sessions, Valkey, can't be reached. Try again in a moment"
)


def path_after(given: str) -> str:
    """Where to lead after the sign-in: a path of this page, or its start for anything else."""
    return given if _OWN_PATH.fullmatch(given) and not given.startswith("/sign-") else "/"


class SignIn:
    """Serves the paths that nobody needs to be known for."""

    def __init__(self, api: Api, callers: Callers) -> None:
        self._api = api
        self._callers = callers

    async def answer(self, request: Request, address: str, origin: str, body: bytes) -> Response | None:
        """The answer of an open path; None for every other. origin: that of the form's page, which has been checked."""
        match (request.method, request.scope["path"]):
            case ("GET" | "HEAD", "/livez"):
                return PlainTextResponse("alive\n")
            case ("GET" | "HEAD", pages.STYLE | pages.ICON as path):
                return _file(path.rpartition("/")[2])
            case ("GET" | "HEAD", "/sign-in" | "/sign-out"):
                return await self._page(request, address)
            case ("POST", "/sign-in"):
                return await self._sign_in(_fields(request, body), address, origin)
            case ("POST", "/sign-out"):
                return await self._sign_out(session_of(request), address)
        return None

    async def _page(self, request: Request, address: str) -> Response:
        try:
            return pages.signed_in(await self._callers.find(credential_of(request), address))
        except Refusal as refusal:
            if refusal.status != 401:
                raise
        return pages.sign_in(path_after(request.query_params.get("next", "/")))

    async def _sign_in(self, fields: dict[str, str], address: str, origin: str) -> Response:
        after, token = path_after(fields.get("next", "/")), fields.get("token", "").strip()
        try:
            told = await self._api.ask("POST", "/v1/session", address, json={"token": token})
        except httpx.HTTPError:
            raise away() from None
        if told.status_code == 201 and (cookie := told.cookies.get(COOKIE)):
            response = RedirectResponse(after, 303, {"cache-control": "no-store"})
            _set_cookie(response, cookie, _seconds(told), origin)
            return response
        if told.status_code >= 500:
            return pages.sign_in(after, _NO_SESSIONS, 503)
        wrong = _NOT_FOR_PEOPLE if told.status_code == 403 else _NOT_KNOWN
        return pages.sign_in(after, wrong, 403 if told.status_code == 403 else 401)

    async def _sign_out(self, cookie: str | None, address: str) -> Response:
        """End the session in the API, and forget the cookie in the browser whatever the API says."""
        if cookie is not None:
            credential = Credential(("cookie", f"{COOKIE}={cookie}"), session=True)
            try:
                shown = await self._api.ask("GET", "/v1/session", address, credential.headers)
                if shown.status_code == 200:
                    csrf = {"x-csrf-token": str(shown.json()["csrf_token"])}
                    await self._api.ask("DELETE", "/v1/session", address, {**credential.headers, **csrf})
            except (httpx.HTTPError, ValueError, KeyError):
                raise away() from None
            self._callers.forget(credential)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response


def _fields(request: Request, body: bytes) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal(415, f"The form comes as {_FORM}")
    try:
        given = parse_qs(body.decode(), max_num_fields=8, keep_blank_values=True)
    except ValueError:
        raise Refusal(400, "The form can't be read") from None
    return {name: values[-1] for name, values in given.items()}


def _set_cookie(response: Response, cookie: str, seconds: int | None, origin: str) -> None:
    secure = origin.startswith("https://")
    response.set_cookie(COOKIE, cookie, max_age=seconds, httponly=True, secure=secure, samesite="lax")


def _seconds(told: httpx.Response) -> int | None:
    """How long the API has the browser keep the cookie."""
    given = SimpleCookie(told.headers.get("set-cookie", "")).get(COOKIE)
    age = given["max-age"] if given is not None else ""
    return int(age) if age.isascii() and age.isdigit() else None


def _file(name: str) -> Response:
    content = own_file(name)
    if content is None:
        raise Refusal(404, "There is no such file")
    kind = MEDIA_TYPES[name[name.rindex(".") :]]
    return Response(content, media_type=kind, headers={"cache-control": "public, max-age=3600"})
