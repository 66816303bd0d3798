"""Who evaluates for itself serves what was decided within its refresh: the API's answer begins the time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from neonblue.client import AsyncClient, Client
from tests.integration.api.conftest import TOKEN
from tests.integration.api.life_cycle import Json, started, step

REFRESH_SECONDS = 0.5
LONGEST_SECONDS = 3 * REFRESH_SECONDS
"""A refresh, the look itself, and a machine that does other things too."""
PEOPLE = [f"u{number}" for number in range(40)]
STEPS: list[tuple[str, Json | None, set[tuple[str | None, str]]]] = [
    ("pause", None, {("a", "paused")}),
    ("resume", None, {("a", "assigned"), ("b", "assigned")}),
    ("roll_back", {"reason": "x"}, {("a", "paused")}),
    ("conclude", {"outcome": "ship", "variant_key": "b", "reason": "x"}, {("b", "released")}),
    ("archive", {"force": True, "reason": "x"}, {(None, "not_running")}),
]
ARMS = [{"key": "a", "is_control": True}, {"key": "b"}]


def told(found: list[Any]) -> set[tuple[str | None, str]]:
    return {(one.variant_key, one.reason) for one in found}


def begun(api: httpx.Client) -> str:
    key: str = started(api, variants=ARMS)["key"]
    return key


def taken(api: httpx.Client, key: str, name: str, body: Json | None) -> float:
    """When the API had answered the step."""
    answer = step(api, key, name, body)
    assert answer.status_code == 200, answer.text
    return time.monotonic()


def test_the_client_serves_each_step_within_its_refresh(api: httpx.Client) -> None:
    key = begun(api)
    with Client(str(api.base_url), TOKEN, refresh_seconds=REFRESH_SECONDS) as client:
        client.variant(key, "u", expose=False)
        for name, body, wanted in STEPS:
            since = taken(api, key, name, body)
            while told([client.variant(key, user, expose=False) for user in PEOPLE]) != wanted:
                assert time.monotonic() < since + LONGEST_SECONDS, name
                time.sleep(0.01)


def test_the_asyncio_client_serves_each_step_within_its_refresh(api: httpx.Client) -> None:
    async def run() -> None:
        key = begun(api)
        async with AsyncClient(str(api.base_url), TOKEN, refresh_seconds=REFRESH_SECONDS) as client:
            await client.variant(key, "u", expose=False)
            for name, body, wanted in STEPS:
                since = await asyncio.to_thread(taken, api, key, name, body)
                while told([await client.variant(key, user, expose=False) for user in PEOPLE]) != wanted:
                    assert time.monotonic() < since + LONGEST_SECONDS, name
                    await asyncio.sleep(0.01)

    asyncio.run(run())
