"""How commands speak to the API: each call once, repeated safely, and a refusal told as sentences."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx
import msgspec
import typer

from neonblue.cli.failures import has_stack, no_stack, reason, unanswered
from neonblue.cli.terminal import fail
from neonblue.client import ApiError, RetryPolicy, UnavailableError
from neonblue.client.calls import Call
from neonblue.client.transport import NEVER_SENT, execute, headers
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.texts import plain

T = TypeVar("T")
Parameters = Mapping[str, str | int | list[str] | None]

EXPERIMENTS = "/v1/experiments"

_PATIENCE = RetryPolicy(attempts=3)
_SECONDS = 60.0
_PAGE_ITEMS = 200
_HINTS = {
    "changed_meanwhile": "Nothing was changed. Look at it again (`neonblue experiment show`), then repeat.",
    "insufficient_scope": "An administrator makes another token: `neonblue token create --help`.",
    "invalid_token": "It is taken from NEONBLUE_API_TOKEN, else from neonblue.env in the stack's folder.",
    "expired_token": "An administrator makes another token: `neonblue token create --help`.",
}


class Api:
    """The API of the stack that the settings lead to.

    `json_output`: what the API answers to a refused call is printed, too. Every method ends the command with exit code
    1 where the API refuses or can't be reached.
    """

    def __init__(self, settings: Settings, *, json_output: bool = False) -> None:
        self.address = settings.api.address
        self._settings = settings
        self._json_output = json_output
        self._last: httpx.Response | None = None
        try:
            self._http = httpx.Client(
                base_url=self.address,
                headers=headers(token_of(settings)),
                timeout=_SECONDS,
                trust_env=False,
                verify=_certificates(self.address),
                event_hooks={"response": [self._remember]},
            )
        except httpx.InvalidURL as error:
            fail(f"NEONBLUE_API_URL: {self.address!r} is no address: {error}")

    def get(self, path: str, **parameters: str | int | list[str] | None) -> bytes:
        return self._call(Call("GET", _with(path, parameters), bytes))

    def post(
        self, path: str, body: object = None, *, version: int | None = None, **parameters: str | None
    ) -> bytes:
        """Repeated under one Idempotency-Key, so that it is carried out once."""
        sent = {"Idempotency-Key": str(uuid4())} | _match(version)
        return self._call(Call("POST", _with(path, parameters), bytes, _json(body), headers=sent))

    def patch(self, path: str, body: object, *, version: int) -> bytes:
        """`version`: the state that the change was made from; another is refused."""
        return self._call(Call("PATCH", path, bytes, _json(body), idempotent=False, headers=_match(version)))

    def put(self, path: str, body: object, *, version: int) -> bytes:
        """`version`: as for `patch`."""
        return self._call(Call("PUT", path, bytes, _json(body), idempotent=False, headers=_match(version)))

    def delete(self, path: str, *, version: int | None = None) -> None:
        self._call(Call("DELETE", path, bytes, idempotent=False, headers=_match(version)))

    def all_items(self, path: str, **parameters: str | int | list[str] | None) -> bytes:
        """Every page of a list, as one answer of the same form."""
        found: list[msgspec.Raw] = []
        cursor: str | None = None
        while True:
            page = self.read(self.get(path, **parameters, cursor=cursor, limit=_PAGE_ITEMS), _Page)
            found += page.items
            if page.next_cursor is None or page.next_cursor == cursor:
                return msgspec.json.encode({"items": found, "next_cursor": None})
            cursor = page.next_cursor

    def read(self, answer: bytes, kind: type[T]) -> T:
        """The answer as values."""
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError:
            fail(f"what answers at {self.address} is not NeonBlue's API: is NEONBLUE_API_PORT right?")

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remember(self, response: httpx.Response) -> None:
        self._last = response

    def _call(self, call: Call[bytes]) -> bytes:
        try:
            return execute(self._http, call, _PATIENCE)
        except ApiError as error:
            self._refused(error)
        except UnavailableError as error:
            self._unavailable(call, error)

    def _refused(self, error: ApiError) -> NoReturn:
        if self._json_output and self._last is not None:
            show_json(self._last.content)
        fail(plain_refusal(error))

    def _unavailable(self, call: Call[bytes], error: UnavailableError) -> NoReturn:
        cause = error.__cause__
        if isinstance(cause, ApiError):
            fail(f"the API at {self.address} can't answer now: {plain(cause.problem.detail) or cause.status}")
        unsure = not call.idempotent and not isinstance(cause, NEVER_SENT)
        known = ". It is not known whether the change was made: look before you repeat it" if unsure else ""
        fail(unanswered(self._settings, "api", reason(error)) + known)


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | None


def plain_refusal(error: ApiError) -> str:
    """What the API refuses: its sentence, or one line for each broken rule with its field, and what to do."""
    problem = error.problem
    rules = problem.errors or []
    lines = [
        f"{_place(rule.get('field'))}{plain(rule.get('message'))} ({plain(rule.get('code'))})"
        for rule in rules
    ]
    if len(lines) > 1:
        lines = [f"the API refuses this: {len(lines)} rules are broken", *(f"  {line}" for line in lines)]
    if not lines:
        said = plain(problem.detail or problem.title) or f"the API answers {error.status}"
        lines = [f"{_place(problem.field)}{said}"]
    hint = _HINTS.get(problem.code)
    return "\n".join([*lines, hint] if hint else lines)


def show_json(answer: bytes) -> None:
    """Print what the API answered, for programs."""
    try:
        typer.echo(msgspec.json.format(answer, indent=2).decode())
    except msgspec.DecodeError:
        typer.echo(answer.decode(errors="replace"))


def experiment_path(key: str, *further: str) -> str:
    """Where an experiment is, or what belongs to it; whatever the key holds, it is one part of the path."""
    return "/".join([EXPERIMENTS, quote(key, safe=""), *further])


def token_of(settings: Settings) -> str:
    """The token that the commands use. Ends the command where there is none."""
    token = settings.api.token.get_secret_value()
    if not token:
        fail(
            f"there is no token: {settings.data_dir / ENVIRONMENT_FILE} has none; set NEONBLUE_API_TOKEN"
            if has_stack(settings)
            else no_stack(settings)
        )
    if not token.isascii() or not token.isprintable() or token != token.strip():
        fail("NEONBLUE_API_TOKEN holds characters that no token has")
    return token


def _certificates(address: str) -> ssl.SSLContext | bool:
    """Whom to trust: the machine's authorities, or those of SSL_CERT_FILE."""
    return ssl.create_default_context() if address.startswith("https:") else True


def _with(path: str, parameters: Parameters) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _json(body: object) -> bytes | None:
    return None if body is None else json.dumps(body, allow_nan=False).encode()


def _place(field: Any) -> str:
    return f"{plain(field)}: " if field and field != "if-match" else ""
