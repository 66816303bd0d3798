"""Who calls. The API says so of sessions and tokens; the stack's own calls carry a secret."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from types import MappingProxyType

import httpx
import msgspec
from starlette.requests import HTTPConnection, cookie_parser

from orchestration.web.api import Api
from orchestration.web.refusals import away, nobody

COOKIE = "neonblue_session"
"""The API's. A browser keeps cookies by host, whatever the port: who has signed in there has here."""

_KNOWN_SECONDS = 2.0
_UNKNOWN_SECONDS = 30.0
"""A session that has ended never comes back, and pages left open go on asking with it."""
_MOST_KNOWN = 2_000
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BEARER = re.compile(r"(?i:bearer) +([\x21-\x7e]{1,512})")
_WRONG = (401, 403)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may look at the page. changes: whether also to change what it shows."""

    name: str
    changes: bool


STACK = Caller("the stack", changes=True)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows of who sends it: one header field for the API. session: it is a browser's cookie."""

    field: tuple[str, str]
    session: bool

    @property
    def headers(self) -> Mapping[str, str]:
        return MappingProxyType(dict((self.field,)))

    @property
    def digest(self) -> bytes:
        return sha256("\0".join(self.field).encode()).digest()


def credential_of(connection: HTTPConnection) -> Credential | None:
    """The token or session of a request; None where it has none. A token counts before a session.

    Raises Refusal 401 for what can be neither, and for two tokens.
    """
    given = connection.headers.getlist("authorization")
    if given:
        found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        if found is None:
            raise nobody("Send one API token: Authorization: Bearer …")
        return Credential(("authorization", f"Bearer {found[1]}"), session=False)
    cookie = session_of(connection)
    return None if cookie is None else Credential(("cookie", f"{COOKIE}={cookie}"), session=True)


def session_of(connection: HTTPConnection) -> str | None:
    """The session's cookie, where there is one that can be one."""
    cookie = cookie_parser("; ".join(connection.headers.getlist("cookie"))).get(COOKIE)
    return cookie if cookie is not None and _COOKIE_VALUE.fullmatch(cookie) else None


class _Told(msgspec.Struct):
    name: str
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the API said. caller: None where it knows nobody. reason: why not. at: when, as `monotonic` has it."""

    caller: Caller | None
    reason: str
    at: float

    def holds(self) -> bool:
        """Whether the API need not be asked again."""
        return monotonic() - self.at <= (_UNKNOWN_SECONDS if self.caller is None else _KNOWN_SECONDS)


class Callers:
    """Who sends a request. The API is asked once however many requests want to know; its word holds for seconds."""

    def __init__(self, api: Api, secret: str) -> None:
        self._api = api
        self._secret = secret.encode()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[_Known]] = {}

    async def find(self, credential: Credential | None, address: str) -> Caller:
        """Whoever this is. Raises Refusal: 401 for nobody, 403 for a token without a right to look, 429, 503."""
        if credential is None:
            raise nobody()
        if self._is_own(credential):
            return STACK
        known = self._known.get(credential.digest)
        if known is None or not known.holds():
            known = await self._ask(credential, address)
        if known.caller is None:
            raise nobody(known.reason)
        return known.caller

    def forget(self, credential: Credential) -> None:
        """Ask anew: the session was ended here."""
        self._known.pop(credential.digest, None)

    def _is_own(self, credential: Credential) -> bool:
        token = credential.field[1].removeprefix("Bearer ").encode()
        return bool(self._secret) and not credential.session and hmac.compare_digest(token, self._secret)

    async def _ask(self, credential: Credential, address: str) -> _Known:
        digest = credential.digest
        task = self._asked.get(digest)
        if task is None:
            task = self._asked[digest] = asyncio.create_task(self._look(credential, address))
            task.add_done_callback(lambda _: self._asked.pop(digest, None))
        known = await asyncio.shield(task)
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    async def _look(self, credential: Credential, address: str) -> _Known:
        try:
            answer = await self._api.ask("GET", "/v1/session/caller", address, credential.headers)
            if answer.status_code in _WRONG:
                return _Known(
                    None, "The session has ended, or the token is not known: sign in again", monotonic()
                )
            told = msgspec.json.decode(answer.raise_for_status().content, type=_Told)
        except (httpx.HTTPError, msgspec.DecodeError):
            raise away() from None
        return _judged(told.name, told.scopes)


def _judged(name: str, scopes: Iterable[str]) -> _Known:
    """By the scopes that the API names, with those that they imply."""
    found = frozenset(scopes)
    if not found & {"viewer", "editor", "admin"}:
        return _Known(
            None, "Dagster's page wants a token of the scope viewer, or editor to change", monotonic()
        )
    return _Known(Caller(name, changes=bool(found & {"editor", "admin"})), "", monotonic())
