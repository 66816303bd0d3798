"""Every part that an endpoint asks for is there, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.app import _ROUTERS
from api.edge.services import Services
from api.edge.wiring import create_services
from api.http.parts import ASKED
from neonblue.settings import Settings


@pytest.fixture(scope="module")
def services() -> Services:
    return create_services(Settings())


def _dependencies(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _dependencies(inner)


def _asked(router: APIRouter) -> set[type]:
    calls = (
        call
        for route in router.routes
        if isinstance(route, APIRoute)
        for call in _dependencies(route.dependant)
    )
    return {ASKED[call] for call in calls if call is not None and call in ASKED}


@pytest.mark.parametrize("router", _ROUTERS, ids=lambda router: f"{router.prefix or '/'} {router.tags[0]}")
def test_what_endpoints_ask_for_is_there(router: APIRouter, services: Services) -> None:
    asked = _asked(router)

    assert asked
    assert asked <= services.parts.keys()


def test_no_two_parts_share_a_type(services: Services) -> None:
    present = [value for held in fields(services) if (value := getattr(services, held.name)) is not None]

    assert len({type(value) for value in present}) == len(present)
