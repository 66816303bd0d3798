"""Everything a person is in, and a trial that leaves nothing behind."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from tests.integration.api.life_cycle import Json, draft, started, step
from tests.integration.api.people.conftest import Place, another_api
from tests.integration.api.people.test_erasure import assign, erase, found, wait_retained
from tests.integration.scanning import in_valkey

COUNTRY = "attributes.country == 'DE'"


@pytest.fixture
def unit_type() -> str:
    """Of this test alone, so that no other experiment asks for such units."""
    return f"unit-{uuid4()}"


def read(place: Place, user: str, unit_type: str, status: int = 200) -> dict[str, Json]:
    answer = place.api.get(f"/v1/users/{quote(user, safe='')}/assignments", params={"unit_type": unit_type})
    assert answer.status_code == status, answer.text
    return {item["experiment"]: item for item in answer.json().get("items", ())}


def trial(place: Place, user: str, unit_type: str, attributes: dict[str, Any]) -> dict[str, Json]:
    answer = place.api.post(
        f"/v1/users/{quote(user, safe='')}/assignments/trial",
        params={"unit_type": unit_type},
        json={"attributes": attributes},
        headers={"idempotency-key": user},
    )
    assert answer.status_code == 200, answer.text
    return {item["experiment"]: item for item in answer.json()["items"]}


def count(place: Place, table: str, column: str, value: str) -> int:
    with psycopg.connect(place.settings.postgres.dsn()) as connection:
        row = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} = %s".encode(), (value,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def reads(place: Place, user: str, unit_type: str) -> int:
    entries = place.api.get("/v1/audit", params={"user_id": user, "unit_type": unit_type}).json()["items"]
    return sum(entry["action"] == "read" for entry in entries)


def test_every_experiment_and_release_of_a_person_is_told_with_what_is_answered_now(
    place: Place, unit_type: str
) -> None:
    user = f"a/{uuid4()}"
    mine, targeted, paused, shipped, other = (
        started(place.api, unit_type=unit_type, **fields)["key"]
        for fields in ({}, {"targeting": COUNTRY}, {}, {}, {"targeting": "attributes.country == 'FR'"})
    )
    given = assign(place.api, mine, user, attributes={"country": "DE"}, expose=False)["variant_key"]
    met = assign(place.api, paused, user)
    step(place.api, paused, "pause").raise_for_status()
    ship = {"outcome": "ship", "variant_key": "b", "reason": "better"}
    step(place.api, shipped, "conclude", ship).raise_for_status()

    items = read(place, user, unit_type)

    assert items.keys() == {mine, targeted, paused, shipped}
    assert (items[mine]["variant_key"], items[mine]["reason"], items[mine]["exposures"]) == (
        given,
        "assigned",
        [],
    )
    assert items[mine]["now"]["variant_key"] == given
    # By the attributes that are known: it is not assigned there yet.
    assert items[targeted]["variant_key"] is None
    assert items[targeted]["now"]["variant_key"] is not None
    assert items[paused]["variant_key"] == met["variant_key"]
    assert [exposure["variant_key"] for exposure in items[paused]["exposures"]] == [met["variant_key"]]
    assert (items[paused]["now"]["served_by"], items[paused]["now"]["reason"]) == ("control", "paused")
    assert (items[shipped]["now"]["served_by"], items[shipped]["now"]["variant_key"]) == ("release", "b")
    assert other not in items
    assert reads(place, user, unit_type) == 1


def test_a_trial_goes_by_its_own_attributes_and_leaves_nothing_anywhere(place: Place, unit_type: str) -> None:
    user = f"trial-{uuid4()}"
    plain, everybody = (
        started(place.api, unit_type=unit_type, targeting=COUNTRY, population=population)["key"]
        for population in ("exposed", "assigned")
    )
    german = trial(place, user, unit_type, {"country": "DE"})
    french = trial(place, user, unit_type, {"country": "FR"})

    assert german.keys() == french.keys() == {plain, everybody}
    for key in (plain, everybody):
        assert german[key]["now"]["reason"] == "assigned"
        assert (french[key]["now"]["variant_key"], french[key]["now"]["reason"]) in (
            (None, "not_targeted"),
            ("a", "not_targeted"),
        )
        assert german[key]["variant_key"] is None
    assert found(place, user) == set()
    assert in_valkey(place.settings.valkey.dsn, [user]) == set()
    assert count(place, "outbox_events", "aggregate_id", user) == 0
    assert count(place, "idempotency_keys", "key", user) == 0
    read(place, user, unit_type, 404)
    # What was tried is what the unit gets, and no memory of the trial stands in its way.
    stored = assign(place.api, plain, user, unit_type=unit_type, attributes={"country": "DE"})
    assert (stored["variant_key"], stored["created"]) == (german[plain]["now"]["variant_key"], True)
    assert (
        trial(place, user, unit_type, {"country": "FR"})[plain]["now"]["variant_key"] == stored["variant_key"]
    )


def test_a_linked_anonymous_id_reads_as_its_person_and_both_have_an_entry(
    place: Place, unit_type: str
) -> None:
    anonymous, person = f"anonymous-{uuid4()}", f"person-{uuid4()}"
    key = started(place.api, unit_type=unit_type)["key"]
    given = assign(place.api, key, anonymous, unit_type=unit_type)["variant_key"]
    link = {"anonymous_id": anonymous, "user_id": person, "unit_type": unit_type}
    place.api.post("/v1/users/links", json=link).raise_for_status()

    items = read(place, anonymous, unit_type)

    assert items == read(place, person, unit_type)
    assert (items[key]["variant_key"], items[key]["reason"]) == (given, "linked")
    assert [met["variant_key"] for met in items[key]["exposures"]] == [given]
    answer = place.api.get(f"/v1/users/{anonymous}/assignments", params={"unit_type": unit_type})
    assert answer.json()["linked_to"] == person
    assert (reads(place, anonymous, unit_type), reads(place, person, unit_type)) == (2, 3)


def test_of_an_erased_person_there_is_nothing(place: Place, unit_type: str) -> None:
    user = f"person-{uuid4()}"
    key = started(place.api)["key"]
    assign(place.api, key, user)
    assert key in read(place, user, "user")

    erasure = erase(place.api, user)
    place.stream.carry()

    read(place, user, "user", 404)
    wait_retained(place, erasure)
    assert found(place, user) == set()


def test_an_id_with_a_slash_of_this_end_is_an_id(place: Place, unit_type: str) -> None:
    user = "x/assignments"
    body = {"attributes": {"own": True}}
    address = f"/v1/users/{quote(user, safe='')}"
    place.api.put(address, params={"unit_type": unit_type}, json=body).raise_for_status()
    assert place.api.get(address, params={"unit_type": unit_type}).json()["attributes"] == {"own": True}
    assert read(place, user, unit_type) == {}
    answer = place.api.post(f"{address}%2Ftrial", params={"unit_type": unit_type}, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_under_hashed_ids_it_is_the_same(place: Place, unit_type: str) -> None:
    made = draft(place.api, unit_type=unit_type)
    step(place.api, made["key"], "start").raise_for_status()
    with another_api(place.settings, user_id_hash_key=SecretStr("a-key-of-this-test")) as hashed:
        user = f"person-{uuid4()}"
        given = assign(hashed, made["key"], user, unit_type=unit_type)["variant_key"]
        found_there = hashed.get(f"/v1/users/{user}/assignments", params={"unit_type": unit_type}).json()
    assert [(item["variant_key"], item["now"]["variant_key"]) for item in found_there["items"]] == [
        (given, given)
    ]
