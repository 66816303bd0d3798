"""The API, which knows who is who. It is asked for a person, and told from which address that one comes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import httpx
import msgspec

from neonblue.contract.on_behalf import ADDRESS_HEADER, PAGE_HEADER
from orchestration.web.refusals import Refusal

_NONE: Mapping[str, str] = MappingProxyType({})
_TOO_MANY_WRONG = "too_many_wrong_tokens"


class _Problem(msgspec.Struct):
    code: str = ""


class Api:
    """Its limits by address, and its audit log, see the person and not this page."""

    def __init__(self, client: httpx.AsyncClient, secret: str) -> None:
        self._client = client
        self._secret = secret

    async def ask(
        self,
        method: str,
        path: str,
        address: str,
        headers: Mapping[str, str] = _NONE,
        json: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Its answer. Raises httpx.HTTPError where there is none, and Refusal 429 where it has had enough."""
        named = {ADDRESS_HEADER: address, PAGE_HEADER: self._secret} if self._names(address) else {}
        answer = await self._client.request(method, path, headers={**headers, **named}, json=json)
        if answer.status_code == 429:
            raise _limited(answer)
        return answer

    def _names(self, address: str) -> bool:
        """Whether the address can be told. A proxy that is believed may name any text."""
        return bool(self._secret) and address.isascii() and address.isprintable()


def _limited(answer: httpx.Response) -> Refusal:
    try:
        code = msgspec.json.decode(answer.content, type=_Problem).code
    except msgspec.DecodeError:
        code = ""
    retry = {"retry-after": answer.headers.get("retry-after", "1")}
    if code == _TOO_MANY_WRONG:
        return Refusal(429, "Too many wrong tokens came from your address: wait, and check the token", retry)
    return Refusal(429, "Your token makes more requests than it may: wait a moment", retry)
