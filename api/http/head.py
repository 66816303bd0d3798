"""What the head of a request says, beyond what is asked: its id, its client, the key that makes it repeatable."""

from __future__ import annotations

import re
from itertools import count
from secrets import token_hex

from starlette.types import Scope

from api.http.body import Headers
from api.http.problems import Problem

_PROCESS = token_hex(8)
_REQUESTS = count(1)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_KEY = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


def given_request_id(headers: Headers) -> str | None:
    """The caller's request id where it is a plain one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _REQUEST_ID(given) else None


def new_request_id() -> str:
    """This process, and which request."""
    return f"{_PROCESS}-{next(_REQUESTS):x}"


def request_id_of(headers: Headers) -> str:
    """The caller's request id, else a new one."""
    return given_request_id(headers) or new_request_id()


def client_of(scope: Scope) -> str | None:
    """The address of the client, or of whoever stands before it."""
    client = scope.get("client")
    return None if client is None else client[0]


def idempotency_key_of(given: bytes) -> str:
    """The key in the header. Raises Problem `invalid_idempotency_key`."""
    key = given.decode("latin-1")
    if not _KEY(key):
        raise Problem(
            400, "invalid_idempotency_key", "1 to 255 visible ASCII characters", field="idempotency-key"
        )
    return key
