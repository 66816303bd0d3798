"""Anonymous ids and the persons they turn out to be: the first assignment wins, conflicts are told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from neonblue.bucketing import Purpose, bucket
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import wait_until

Json = dict[str, Any]


def assign(api: httpx.Client, experiment: Written, user_id: str, **fields: Any) -> Json:
    answer = api.post("/v1/assignments", json={"experiment": experiment.key, "user_id": user_id} | fields)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def link(api: httpx.Client, anonymous: str, person: str) -> Json:
    answer = api.post("/v1/users/links", json={"anonymous_id": anonymous, "user_id": person})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def rows(server: Server, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def ids() -> tuple[str, str]:
    return f"cookie-{uuid4()}", f"person-{uuid4()}"


def with_variant(experiment: Written, prefix: str, variant: str) -> str:
    """A new id that the experiment gives this variant."""
    while True:
        found = f"{prefix}-{uuid4()}"
        if "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, found) >> 63] == variant:
            return found


def test_a_person_takes_over_what_the_anonymous_id_was_given_first(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    anonymous, person = with_variant(experiment, "cookie", "a"), with_variant(experiment, "person", "b")
    first = assign(api, experiment, anonymous)
    answer = link(api, anonymous, person)
    assert (answer["created"], answer["adopted"], answer["conflicts"]) == (True, [experiment.key], [])
    after = assign(api, experiment, person)
    assert (after["variant_key"], after["created"]) == (first["variant_key"], False)
    assert after["assigned_at"] == first["assigned_at"]


def test_the_anonymous_id_is_assigned_as_its_person_from_then_on(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres)
    anonymous, person = with_variant(experiment, "cookie", "a"), with_variant(experiment, "person", "b")
    link(api, anonymous, person)
    for _ in range(2):
        answer = assign(api, experiment, anonymous)
        assert (answer["user_id"], answer["variant_key"]) == (anonymous, "b")
    assert rows(postgres, "SELECT user_id FROM assignments WHERE experiment_id = %s", experiment.number) == [
        (person,)
    ]
    assert assign(api, experiment, person)["variant_key"] == "b"


def test_who_is_left_out_by_the_anonymous_id_is_let_in_as_the_person(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    anonymous, person = ids()
    variant = assign(api, experiment, person)["variant_key"]
    experiment.change(allocation=0)
    wait_until(
        lambda: assign(api, experiment, str(uuid4())).get("in_experiment") is False,
        "the new allocation is known",
    )
    link(api, anonymous, person)
    assert assign(api, experiment, anonymous)["variant_key"] == variant


def test_two_variants_of_one_person_are_a_conflict_and_each_id_keeps_its_own(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    anonymous, person = with_variant(experiment, "cookie", "a"), with_variant(experiment, "person", "b")
    assign(api, experiment, anonymous)
    assign(api, experiment, person)
    answer = link(api, anonymous, person)
    assert answer["adopted"] == []
    assert answer["conflicts"] == [
        {"experiment": experiment.key, "anonymous_variant": "a", "user_variant": "b", "first": "a"}
    ]
    assert [assign(api, experiment, who)["variant_key"] for who in (anonymous, person)] == ["a", "b"]
    metrics = api.get("/metrics").text
    assert 'neonblue_links_total{outcome="conflict"}' in metrics


def test_a_link_goes_down_the_stream_once(api: httpx.Client, postgres: Server) -> None:
    anonymous, person = ids()
    assert [link(api, anonymous, person)["created"] for _ in range(3)] == [True, False, False]
    messages = rows(
        postgres,
        "SELECT payload FROM outbox_events WHERE event_type = 'USER_LINKED' AND aggregate_id = %s",
        anonymous,
    )
    assert [(payload["anonymous_id"], payload["user_id"]) for (payload,) in messages] == [(anonymous, person)]


def test_an_anonymous_id_has_one_person_and_links_make_no_chain(api: httpx.Client) -> None:
    anonymous, person = ids()
    link(api, anonymous, person)
    refused = {
        (anonymous, "somebody-else"): "already_linked",
        ("another-cookie", anonymous): "link_chain",
        (person, "somebody-else"): "link_chain",
    }
    for (one, other), code in refused.items():
        answer = api.post("/v1/users/links", json={"anonymous_id": one, "user_id": other})
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    same = api.post("/v1/users/links", json={"anonymous_id": person, "user_id": person})
    assert same.status_code == 422


def test_of_concurrent_links_that_would_make_a_chain_one_is_made(api: httpx.Client, postgres: Server) -> None:
    for _ in range(10):
        one, two = ids()
        bodies = [{"anonymous_id": one, "user_id": two}, {"anonymous_id": two, "user_id": one}] * 2
        with ThreadPoolExecutor(4) as threads:
            statuses = list(threads.map(lambda b: api.post("/v1/users/links", json=b).status_code, bodies))
        assert sorted(statuses) == [200, 200, 409, 409]
        made = rows(postgres, "SELECT 1 FROM user_links WHERE anonymous_id IN (%s, %s)", one, two)
        assert len(made) == 1


def test_what_is_stored_tells_of_the_link(api: httpx.Client, postgres: Server) -> None:
    anonymous, person = ids()
    assign(api, write(postgres), anonymous)
    link(api, anonymous, person)
    read = [api.get("/v1/assignments", params={"user_id": who}).json() for who in (anonymous, person)]
    assert [answer["linked_to"] for answer in read] == [person, None]
    assert [len(answer["items"]) for answer in read] == [1, 1]
