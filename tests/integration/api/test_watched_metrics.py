"""Metrics that the catalogue watches: in every running experiment, with a place that is theirs for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import Json, draft, messages, refused, started, step

CRASHES: Json = {
    "type": "proportion", "event_type": "crash", "aggregation": "any", "direction": "decrease",
    "role": "guardrail", "window_seconds": 3600, "margin": "0.1", "on_breach": "roll_back",
}  # fmt: skip


class Catalogue:
    """Makes metrics, and leaves none of them watched: running experiments of other tests would have them."""

    def __init__(self, api: httpx.Client) -> None:
        self.api = api
        self.keys: list[str] = []

    def add(self, **fields: Any) -> str:
        key = f"w-{uuid4()}"
        answer = self.api.post("/v1/metrics", json={"key": key, "watched": True} | CRASHES | fields)
        assert answer.status_code == 201, answer.text
        self.keys.append(key)
        return key

    def change(self, key: str, **fields: Any) -> httpx.Response:
        return self.api.patch(f"/v1/metrics/{key}", json=fields, headers={"if-match": "*"})


@pytest.fixture
def catalogue(api: httpx.Client) -> Iterator[Catalogue]:
    made = Catalogue(api)
    yield made
    for key in made.keys:
        made.change(key, watched=False).raise_for_status()


def due(api: httpx.Client, key: str) -> list[tuple[str, str, int]]:
    answer = api.post("/v1/experiments/due")
    assert answer.status_code == 200, answer.text
    return [
        (item["step"], item["status"], item["version"])
        for item in answer.json()["items"]
        if item["key"] == key
    ]


def watched(api: httpx.Client, key: str) -> list[tuple[str, int, int, bool]]:
    """Key, place, since and whether it is still watched."""
    found = api.get(f"/v1/experiments/{key}").json()["watched"]
    return [(one["key"], one["place"], one["since"], one["active"]) for one in found]


def test_a_started_experiment_has_what_was_watched_then_and_follows_what_comes_and_goes(
    api: httpx.Client, postgres: Server, catalogue: Catalogue
) -> None:
    first, own = catalogue.add(), catalogue.add()
    made = draft(api, metrics=[{"key": own}])
    key = made["key"]
    assert made["watched"] == []
    assert due(api, key) == []
    assert step(api, key, "start").status_code == 200
    assert watched(api, key) == [(first, 0, 2, True)]
    (message,) = messages(postgres, made["id"])[-1].watched
    assert (message.key, message.role, message.margin, message.on_breach) == (
        first,
        "guardrail",
        "0.1",
        "roll_back",
    )
    assert due(api, key) == []

    second, third = catalogue.add(margin=None, role="primary", on_breach=None), catalogue.add()
    assert due(api, key) == [("watch", "running", 3)]
    assert due(api, key) == []
    everything = [(first, 0, 2, True), (second, 1, 3, True), (third, 2, 3, True)]
    assert watched(api, key) == everything
    assert messages(postgres, made["id"])[-1].watched[1].role == "guardrail"

    assert catalogue.change(first, watched=False).status_code == 200
    assert catalogue.change(second, watched=False).status_code == 200
    assert step(api, key, "pause").status_code == 200
    assert due(api, key) == [("watch", "paused", 5)]
    assert [one[3] for one in watched(api, key)] == [False, False, True]
    assert catalogue.change(second, watched=True).status_code == 200
    fourth = catalogue.add()
    assert due(api, key) == [("watch", "paused", 6)]
    assert watched(api, key) == [
        (first, 0, 2, False), (second, 1, 3, True), (third, 2, 3, True), (fourth, 3, 6, True),
    ]  # fmt: skip
    (newest, *_) = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert (newest["action"], list(newest["difference"])) == ("watch", ["watched"])
    assert step(api, key, "conclude").status_code == 200
    catalogue.add()
    assert due(api, key) == []


def test_a_new_version_is_watched_in_experiments_that_start_afterwards(
    api: httpx.Client, catalogue: Catalogue
) -> None:
    key = catalogue.add()
    running = started(api)
    assert api.get(f"/v1/metrics/{key}").json()["in_use"]
    assert refused(catalogue.change(key, window_seconds=60)) == {"window_seconds": "frozen"}
    answer = api.post(f"/v1/metrics/{key}/versions", json=CRASHES | {"window_seconds": 60})
    assert answer.status_code == 201, answer.text
    assert due(api, running["key"]) == []
    assert (running["watched"][0]["version"], started(api)["watched"][0]["version"]) == (1, 2)


def test_the_metrics_page_names_who_is_watched_by_it_and_who_was(
    api: httpx.Client, catalogue: Catalogue
) -> None:
    key = catalogue.add()
    watched_only, both = started(api)["key"], started(api, metrics=[{"key": key}])["key"]

    def used() -> dict[str, str]:
        page = api.get(f"/catalogue/{key}", headers={"accept": "text/html"}).text
        rows = re.findall(r'href="/experiments/([^"]*)".*?data-label="how">([^<]*)<', page, re.DOTALL)
        assert f'<span class="small muted">{len(rows)}</span>' in page
        return dict(rows)

    found = used()
    assert (found[watched_only], found[both]) == ("watched by it", "guardrail")
    assert catalogue.change(key, watched=False).status_code == 200
    due(api, watched_only)
    assert used()[watched_only] == "was watched by it"


def test_what_was_collected_elsewhere_is_not_watched(api: httpx.Client, catalogue: Catalogue) -> None:
    catalogue.add()
    made = started(api, source="external")
    assert made["watched"] == []
    assert due(api, made["key"]) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"window_seconds": None, "on_breach": None}, "window_seconds"),
        (
            {"type": "count", "aggregation": "count", "cap_percentile": "0.9", "on_breach": None},
            "cap_percentile",
        ),
        (
            {"type": "quantile", "aggregation": "count", "quantile": "0.5", "on_breach": None},
            "type",
        ),
        ({"role": "primary", "margin": None}, "on_breach"),
    ],
)
def test_what_has_no_final_value_cannot_be_watched(
    api: httpx.Client, catalogue: Catalogue, fields: Json, field: str
) -> None:
    new = {"key": f"w-{uuid4()}", "watched": True} | CRASHES | fields
    assert refused(api.post("/v1/metrics", json=new)) == {field: "not_computable"}
    unwatched = api.post("/v1/metrics", json=new | {"watched": False})
    assert unwatched.status_code == (422 if field == "on_breach" else 201), unwatched.text
    if unwatched.status_code == 201:
        assert refused(catalogue.change(new["key"], watched=True)) == {field: "not_computable"}


def test_a_watched_metric_stays_one_that_can_be(api: httpx.Client, catalogue: Catalogue) -> None:
    key = catalogue.add(on_breach=None)
    assert refused(catalogue.change(key, window_seconds=None)) == {"window_seconds": "not_computable"}
    without = {name: value for name, value in CRASHES.items() if name not in ("window_seconds", "on_breach")}
    answer = api.post(f"/v1/metrics/{key}/versions", json=without)
    assert refused(answer) == {"window_seconds": "not_computable"}


def test_what_follows_from_a_breach_is_the_guardrails_own_word_or_the_catalogues(
    api: httpx.Client, catalogue: Catalogue
) -> None:
    key = catalogue.add(watched=False)
    uses = ({"key": key}, {"key": key, "on_breach": "alert"})
    assert [draft(api, metrics=[use])["metrics"][0]["on_breach"] for use in uses] == ["roll_back", "alert"]
    own = {"key": "own"} | CRASHES | {"on_breach": None}
    assert draft(api, metrics=[own])["metrics"][0]["on_breach"] is None
    for fields, field in (
        ({"role": "primary", "margin": None, "on_breach": "pause"}, "on_breach"),
        ({"window_seconds": None, "on_breach": "pause"}, "window_seconds"),
    ):
        body = {"key": f"e-{uuid4()}", "variants": [], "metrics": [own | fields]}
        assert f"metrics.0.{field}" in refused(api.post("/v1/experiments", json=body))
