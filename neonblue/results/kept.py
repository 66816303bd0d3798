"""The looks at an experiment that are kept, read and added over the API: for whoever has no database of it at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from neonblue.contract.looks import LookMessage
from neonblue.settings import ApiSettings

_SECONDS = 30.0
_UNKNOWN = 404


class _Kept(msgspec.Struct):
    items: list[LookMessage]


def kept_looks(api: ApiSettings, key: str) -> list[LookMessage]:
    """Every look in order; none of an experiment that there is not. Raises httpx's error."""
    answer = _call(api, "GET", key)
    if answer.status_code == _UNKNOWN:
        return []
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=_Kept).items


def keep_look(api: ApiSettings, look: LookMessage) -> None:
    """Keep one more look. Raises httpx's error, also where another one was taken first."""
    body = msgspec.to_builtins(look)
    del body["experiment"], body["taken_at"]
    _call(api, "POST", look.experiment, body).raise_for_status()


def _call(api: ApiSettings, method: str, key: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
    return httpx.request(
        method,
        f"{api.address}/v1/experiments/{quote(key, safe='')}/looks",
        json=body,
        headers={"authorization": f"Bearer {api.token.get_secret_value()}"},
        timeout=_SECONDS,
        trust_env=False,
    )
