"""The downloaded configuration and the API decide alike, and the client's exposures store what it decided."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from neonblue.client import AsyncClient, BatchOptions, Client
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.experiments import layer, write
from tests.integration.api.fleet import wait_until

Json = dict[str, Any]


def document(api: httpx.Client) -> Json:
    answer: Json = api.get("/v1/configuration").json()
    return answer


def test_the_configuration_holds_what_runs_and_says_when_nothing_has_changed(
    api: httpx.Client, postgres: Server
) -> None:
    one, draft = write(postgres), write(postgres, status="draft")
    external = write(postgres, source="external")
    wait_until(lambda: one.key in str(document(api)), "the experiment is known")
    first = api.get("/v1/configuration")
    keys = {entry["key"] for entry in first.json()["experiments"]}
    assert keys & {one.key, draft.key, external.key} == {one.key}
    tag = first.headers["etag"]
    assert tag == f'"{first.json()["revision"]}"'
    again = api.get("/v1/configuration", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    one.change(allocation=1_234)
    wait_until(
        lambda: api.get("/v1/configuration", headers={"If-None-Match": tag}).status_code == 200,
        "the change has another tag",
    )


def test_a_tester_is_not_named(api: httpx.Client, postgres: Server) -> None:
    experiment, tester = write(postgres), f"tester-{uuid4()}"
    experiment.force(tester, "b")

    def forced() -> Json:
        found = [entry["forced"] for entry in document(api)["experiments"] if entry["key"] == experiment.key]
        return found[0] if found else {}

    wait_until(lambda: list(forced().values()) == ["b"], "the tester is known")
    assert tester not in api.get("/v1/configuration").text


def test_both_clients_decide_as_the_api_does_and_their_exposures_are_stored_assignments(
    api: httpx.Client, postgres: Server
) -> None:
    number, _ = layer(postgres)
    experiment = write(
        postgres,
        layer_id=number,
        layer_start=1_000,
        layer_end=9_000,
        allocation=8_000,
        targeting='attributes.country in ["DE", "AT"]',
    )
    key = experiment.key
    wait_until(lambda: key in str(document(api)), "the experiment is known")
    people = [f"user-{uuid4()}" for _ in range(100)]
    attributes = [{"country": ("DE", "FR")[n % 4 == 0]} for n in range(len(people))]
    with Client(str(api.base_url), TOKEN, batch=BatchOptions(linger_seconds=0.05)) as client:
        local = [client.variant(key, *asked) for asked in zip(people[:50], attributes[:50], strict=True)]

    async def rest() -> None:
        async with AsyncClient(str(api.base_url), TOKEN) as client:
            for asked in zip(people[50:], attributes[50:], strict=True):
                local.append(await client.variant(key, *asked))  # noqa: PERF401

    asyncio.run(rest())
    with psycopg.connect(postgres.dsn) as connection:
        stored = dict(
            connection.execute(
                "SELECT user_id, variant_key FROM assignments WHERE experiment_id = %s AND exposed_at IS NOT NULL",
                (experiment.number,),
            ).fetchall()
        )
    assert stored == {found.user_id: found.variant_key for found in local if found.exposable}
    assert {found.variant_key for found in local if not found.in_experiment} == {"a"}
    body = [
        {"experiment": key, "user_id": person, "attributes": known}
        for person, known in zip(people, attributes, strict=True)
    ]
    remote = api.post("/v1/assignments", json=body).json()["items"]
    assert [
        (item["variant_key"], item.get("reason", "assigned"), item.get("in_experiment", True))
        for item in remote
    ] == [(found.variant_key, found.reason, found.in_experiment) for found in local]
    assert not any(item["created"] for item in remote)
    assert {found.reason for found in local} == {
        "assigned",
        "not_targeted",
        "not_in_layer",
        "not_in_allocation",
    }
