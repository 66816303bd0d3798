"""The client that blocks is made from the one for asyncio."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest

from neonblue.client import AsyncClient, Client

ROOT = Path(__file__).parents[3]


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "blocking", ROOT / "distributions" / "client" / "blocking.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_made_of_what_is_written_now() -> None:
    made = maker()

    assert made.MADE.read_text() == made.blocking(made.WRITTEN.read_text()), "run: make client"


def test_a_sentence_that_is_true_of_one_alone_is_not_passed_on_unseen() -> None:
    made = maker()

    with pytest.raises(ValueError, match=r"asynchronous\.py must say once: The client for asyncio programs"):
        made.blocking(made.WRITTEN.read_text().replace("The client for asyncio programs.", "The client."))


@pytest.mark.parametrize("name", sorted(name for name in dir(AsyncClient) if name[0] != "_"))
def test_both_have_the_same_calls_types_and_defaults(name: str) -> None:
    asynchronous, sync = getattr(AsyncClient, name), getattr(Client, name)
    if isinstance(sync, property):
        asynchronous, sync = asynchronous.fget, sync.fget

    assert inspect.signature(sync) == inspect.signature(asynchronous)
    assert get_type_hints(sync) == get_type_hints(asynchronous)
    assert sync.__doc__
    assert not inspect.iscoroutinefunction(sync)
