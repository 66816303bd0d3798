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
_CONFLICT = 409


class _Kept(msgspec.Struct):
    items: list[LookMessage]


def kept_looks(api: ApiSettings, key: str) -> list[LookMessage]:
    """Every look in order; none of an experiment that there is not. Raises httpx's error."""
    answer = _call(api, "GET", key)
    if answer.status_code == _UNKNOWN:
        return []
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=_Kept).items


def keep_look(api: ApiSettings, look: LookMessage) -> LookMessage | None:
    """Keep the look; the one that stands up to the same time, whoever took it.

    None: another look was taken first, so that this one is not the next. Raises httpx's error otherwise.
    """
    body = msgspec.to_builtins(look)
    del body["experiment"], body["taken_at"]
    answer = _call(api, "POST", look.experiment, body)
    if answer.status_code == _CONFLICT and answer.json()["code"] == "look_taken":
        return None
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=LookMessage)


def _call(api: ApiSettings, method: str, key: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
    return httpx.request(
        method,
        f"{api.address}/v1/experiments/{quote(key, safe='')}/looks",
        json=body,
        headers={"authorization": f"Bearer {api.token.get_secret_value()}"},
        timeout=_SECONDS,
        trust_env=False,
    )
