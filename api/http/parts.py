"""What an endpoint is given of this process: its own part of it, asked for by type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")

ASKED: dict[Callable[..., Any], type] = {}
"""What each dependency asks for; `app.state.parts` holds one of each type."""


def part(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency: the process's part of this type."""

    async def give(request: Request) -> T:
        found: T = request.app.state.parts[kind]
        return found

    ASKED[give] = kind
    return give
