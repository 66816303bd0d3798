"""Why a request is not let through."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):  # noqa: N818
    """A request that is not let through: the HTTP status, a sentence that says what to do, header fields."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def nobody(message: str = "Sign in, or send an API token: Authorization: Bearer …") -> Refusal:
    """No session or token, or one that is not known, has ended or was revoked."""
    return Refusal(401, message, {"www-authenticate": 'Bearer realm="neonblue"'})


def away() -> Refusal:
    """The API, which knows who calls, can't be asked."""
    return Refusal(
        503,
        "The API can't be asked who you are. This page tries again by itself; 'neonblue status' shows the API's state",
        {"retry-after": "3"},
    )


def viewer_only() -> Refusal:
    return Refusal(
        403, "Your token may look only. To change something, sign in with a token of the scope editor"
    )
