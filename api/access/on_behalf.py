"""Dagster's page asks for the people who sign in there: whose address it names counts as theirs."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from neonblue.contract.on_behalf import ADDRESS_HEADER, PAGE_HEADER

_PATHS = "/v1/session"
_ADDRESS, _SECRET = ADDRESS_HEADER.encode(), PAGE_HEADER.encode()


class OnBehalf:
    """Gives a call on sessions the client that Dagster's page names, where it shows the secret that is the page's.

    The limits by address and the audit log then see the person. With another secret, or none, nothing changes.
    """

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PATHS):
            address = self._named(scope["headers"])
            if address is not None:
                scope = {**scope, "client": (address, 0)}
        await self._app(scope, receive, send)

    def _named(self, headers: list[tuple[bytes, bytes]]) -> str | None:
        shown = [value for name, value in headers if name == _SECRET]
        named = [value for name, value in headers if name == _ADDRESS]
        if len(shown) != 1 or len(named) != 1 or not hmac.compare_digest(shown[0], self._secret):
            return None
        try:
            return str(ip_address(named[0].decode("latin-1").partition("%")[0]))
        except ValueError:
            return None
