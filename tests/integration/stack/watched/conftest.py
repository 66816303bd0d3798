"""The stack of a module, watched: it says in `SERVICES` of which services (None: of all)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from neonblue.settings import Settings
from neonblue.stack import Stack
from tests.integration.stack.watched.watching import Told, watched


@pytest.fixture(scope="module")
def running(module_settings: Settings, request: pytest.FixtureRequest) -> Iterator[tuple[Stack, Told]]:
    with watched(module_settings, request.module.SERVICES) as opened:
        yield opened


@pytest.fixture
def settings(running: tuple[Stack, Told]) -> Settings:
    """All is well before each test."""
    running[0].wait_ready(timeout=300)
    return running[0].settings


@pytest.fixture
def told(running: tuple[Stack, Told]) -> Told:
    return running[1]
