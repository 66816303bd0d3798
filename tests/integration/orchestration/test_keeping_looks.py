"""Looks are kept through the API by who takes them, and read back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from neonblue.contract.instants import format_instant
from neonblue.contract.looks import LookCell, LookMessage
from orchestration.resources import Api
from tests.integration.api.conftest import TOKEN
from tests.integration.api.life_cycle import draft, started, step

METRIC = {"key": "m", "type": "proportion", "event_type": "e", "aggregation": "any"}
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
CELL = LookCell(
    metric_key="m", metric_version=1, variant_key="b", n_control=10, n_variant=12, information=60 / 11, share=0.022,
    spent=1e-9, z=-0.3, p_value=1.0, rejected=False, guardrail="open",
)  # fmt: skip


@pytest.fixture
def keeper(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The resource, led to an API of its own."""
    monkeypatch.setenv("NEONBLUE_API_URL", str(api.base_url).rstrip("/"))
    monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)
    return Api()


def look(experiment: str, number: int, days_ago: int, **fields: Any) -> LookMessage:
    neutral: dict[str, Any] = {
        "configuration_version": 2, "inference": "group_sequential", "planned_units": 1_000, "alpha": 0.05,
        "cells": [CELL],
    }  # fmt: skip
    closed_to = format_instant(TODAY - timedelta(days=days_ago))
    return LookMessage(experiment=experiment, number=number, closed_to=closed_to, **neutral | fields)


def test_what_was_kept_is_read_back_as_it_was(api: httpx.Client, keeper: Api) -> None:
    key = started(api, metrics=[METRIC], planned_units=1_000)["key"]
    assert keeper.looks(key) == []
    sent = [look(key, 1, days_ago=5), look(key, 2, days_ago=4)]
    kept = [keeper.keep_look(one) for one in sent]
    assert keeper.looks(key) == kept
    assert [one and msgspec.structs.replace(one, taken_at=None) for one in kept] == sent


def test_a_look_that_was_taken_before_is_answered_as_it_stands(api: httpx.Client, keeper: Api) -> None:
    key = started(api, metrics=[METRIC], planned_units=1_000)["key"]
    first = keeper.keep_look(look(key, 1, days_ago=5))
    again = look(key, 1, days_ago=5, cells=[msgspec.structs.replace(CELL, spent=0.04)])
    assert keeper.keep_look(again) == first


def test_who_comes_second_to_another_look_has_none(api: httpx.Client, keeper: Api) -> None:
    key = started(api, metrics=[METRIC], planned_units=1_000)["key"]
    keeper.keep_look(look(key, 1, days_ago=5))
    assert keeper.keep_look(look(key, 1, days_ago=4)) is None


def test_what_can_not_be_a_look_is_an_error(api: httpx.Client, keeper: Api) -> None:
    running = started(api, metrics=[METRIC], planned_units=1_000)["key"]
    for bad in (look(draft(api)["key"], 1, 5), look(running, 1, days_ago=-2), look("no-such", 1, 5)):
        with pytest.raises(httpx.HTTPStatusError):
            keeper.keep_look(bad)
    assert keeper.looks("no-such") == []
    step(api, running, "conclude").raise_for_status()
    assert keeper.keep_look(look(running, 1, days_ago=5)) is not None
