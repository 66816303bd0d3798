"""Whose address counts where Dagster's page asks for somebody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from api.access.on_behalf import OnBehalf

SECRET = "what-the-page-shows"
PAGE = (b"x-neonblue-page", SECRET.encode())
PERSON = (b"x-neonblue-client", b"198.51.100.7")


def client_of(*headers: tuple[bytes, bytes], path: str = "/v1/session") -> Any:
    """Whom the application sees."""
    seen: list[Scope] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    scope = {"type": "http", "path": path, "client": ("127.0.0.1", 5), "headers": list(headers)}
    asyncio.run(OnBehalf(application, SECRET)(scope, None, None))  # type: ignore[arg-type]
    return seen[0]["client"][0]


def test_the_person_counts_whom_the_page_names() -> None:
    assert client_of(PAGE, PERSON) == "198.51.100.7"
    assert client_of(PAGE, PERSON, path="/v1/session/caller") == "198.51.100.7"
    assert client_of(PAGE, (b"x-neonblue-client", b"2001:db8::7%eth0")) == "2001:db8::7"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (PERSON,),
        (PAGE,),
        (PERSON, (b"x-neonblue-page", b"guessed")),
        (PERSON, (b"x-neonblue-page", b"")),
        (PERSON, PERSON, PAGE),
        (PERSON, PAGE, PAGE),
        (PAGE, (b"x-neonblue-client", b"somebody")),
        (PAGE, (b"x-neonblue-client", b"\xff")),
        (PAGE, (b"x-neonblue-client", b"1.2.3.4, 5.6.7.8")),
    ],
)
def test_anything_else_changes_nothing(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert client_of(*headers) == "127.0.0.1"


def test_only_calls_on_sessions_are_made_for_others() -> None:
    assert client_of(PAGE, PERSON, path="/v1/events") == "127.0.0.1"
