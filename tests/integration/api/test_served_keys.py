"""A key is safe to call in every status: each way of asking gives the one answer, and nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.client import BatchOptions, Client
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import wait_until
from tests.integration.api.life_cycle import draft, step
from tests.integration.api.served import ARMS, BACK, FORCED, SHIP, STATES, UNSTARTED, VALUES, WORDS, Made
from tests.integration.api.test_durability import query
from tests.served_table import OWN, Told, kinds_of


@pytest.fixture(scope="module", autouse=True)
def no_holdout_is_left(postgres: Server) -> Iterator[None]:
    """Each experiment that names none respects all of them: those of this file would keep other tests' units out."""
    before = query(postgres, "SELECT coalesce(array_agg(key), '{}') FROM holdouts")[0][0]
    yield
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DELETE FROM holdouts WHERE key <> ALL (%s)", (before,))


@pytest.fixture(scope="module", params=STATES)
def made(api: httpx.Client, postgres: Server, request: pytest.FixtureRequest) -> Made:
    return Made(api, postgres, request.param)


def _told(made: Made, word: str) -> Told:
    found = made.assign(word)
    assert found["payload"] == {"value": VALUES[found["variant_key"]]}
    served_by = found.get("served_by", "experiment")
    own = served_by == "experiment"
    assert (found.get("in_experiment", True), found.get("durable", True)) == (own, True)
    assert (found["assigned_at"] is None, found["created"]) == (
        not own or word == "forced",
        word == "new" and own,
    )
    return Told(found["variant_key"], found.get("reason"), served_by)


def _flag(made: Made, word: str, *, bulk: bool) -> Told:
    context = {"targetingKey": made.units[word], "unit_type": made.kind} | made.attributes(word)
    if not bulk:
        del context["unit_type"]
    path = "/ofrep/v1/evaluate/flags" if bulk else f"/ofrep/v1/evaluate/flags/{made.key}"
    answer = made.api.post(path, json={"context": context})
    assert answer.status_code == 200, answer.text
    flag = answer.json()
    if bulk:
        (flag,) = flag["flags"]
    assert flag["value"] == VALUES[flag["variant"]]
    metadata = flag["metadata"]
    served_by = metadata.get("served_by", "experiment")
    assert metadata.get("in_experiment", True) == (served_by == "experiment")
    ours, others = ("SPLIT", "TARGETING_MATCH"), ("DEFAULT", "DISABLED", "STATIC")
    assert flag["reason"] in (ours if served_by == "experiment" else others)
    return Told(flag["variant"], metadata.get("reason"), served_by)


def _kinds(made: Made) -> list[str]:
    return [word for word in kinds_of(made.state) if word in WORDS]


def test_one_call_gives_what_the_table_says_and_stores_nothing_that_is_not_the_experiments(
    made: Made,
) -> None:
    told = {}
    for word in _kinds(made):
        before = made.stored()
        told[word] = _told(made, word)
        assert made.expected(word) == OWN or made.stored() == before, word
    assert told == {word: made.expected(word) for word in _kinds(made)}


def test_asked_again_and_without_attributes_it_is_the_same_from_memory(made: Made) -> None:
    """The second time a process has in memory what there is to know, and answers where the bytes arrive."""
    for word in ("stored", "new", "held out", "in another slot", "forced"):
        if word not in kinds_of(made.state):
            continue
        body = {"experiment": made.key, "user_id": made.units[word]}
        usual = made.api.post("/v1/assignments", json=[body]).json()["items"][0]
        for _ in range(3):
            found = made.api.post("/v1/assignments", json=body).json()
            assert found == {key: value for key, value in usual.items() if key not in ("index", "status")}, (
                word
            )


def test_one_flag_gives_what_the_table_says(made: Made) -> None:
    told = {word: _flag(made, word, bulk=False) for word in _kinds(made)}
    assert told == {word: made.expected(word) for word in _kinds(made)}


def test_all_flags_at_once_and_who_evaluates_for_himself_agree(made: Made) -> None:
    if made.state in UNSTARTED:  # whose arms nobody is told who does not ask for the key
        answer = made.api.post(
            "/ofrep/v1/evaluate/flags",
            json={"context": {"targetingKey": made.units["new"], "unit_type": made.kind}},
        )
        assert answer.json()["flags"] == []
        assert made.key not in made.api.get("/v1/configuration").text
        return
    with Client(str(made.api.base_url), TOKEN, batch=BatchOptions(linger_seconds=0)) as client:
        for word in _kinds(made):
            expected = made.expected(word)
            assert _flag(made, word, bulk=True) == expected, word
            found = client.variant(made.key, made.units[word], made.attributes(word))
            if made.state == "running" and word == "stored, not targeted any more":
                expected = Told("a", "not_targeted")  # what is stored is not known there
            reason = None if found.reason == "assigned" else found.reason
            assert Told(found.variant_key, reason, found.served_by) == expected, word
            assert found.payload == {"value": VALUES[found.variant_key or ""]}
            assert found.exposable == (expected == OWN)


def test_a_client_that_exposes_whatever_has_a_variant_adds_nobody(made: Made) -> None:
    """As the client of the version before: it knows nothing of `served_by`."""
    kinds = [word for word in _kinds(made) if made.expected(word).served_by != "experiment"]
    answers = {word: made.assign(word) for word in kinds}
    assigned = (
        "SELECT count(*) FROM assignments JOIN experiments AS e ON e.id = experiment_id WHERE e.key = %s"
    )
    before = query(made.postgres, assigned, made.key)
    events = [
        {
            "event_type": "exposure",
            "experiment": made.key,
            "user_id": found["user_id"],
            "unit_type": made.kind,
            "variant_key": found["variant_key"],
            "timestamp": datetime.now(UTC).isoformat(),
        }
        | carried
        for found in answers.values()
        for carried in ({}, {"configuration_version": found["version"]})
    ]
    made.api.post("/v1/events", json=events).raise_for_status()
    assert query(made.postgres, assigned, made.key) == before


def test_a_share_that_grows_takes_the_release_from_nobody(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "released")
    people = [f"u-{uuid4()}" for _ in range(60)]

    def have() -> set[str]:
        body = [{"experiment": made.key, "user_id": one, "attributes": {"plan": "pro"}} for one in people]
        items = api.post("/v1/assignments", json=body).json()["items"]
        return {item["user_id"] for item in items if item["variant_key"] == "b"}

    reached: set[str] = set()
    whole = have()
    for share in ("25 %", "50 %", "75 %", 10_000):
        made.take("release", {"variant_key": "b", "share": share, "reason": "it goes well"})
        now = have()
        assert reached <= now
        reached = now
    assert reached == whole
    last = api.get(f"/v1/experiments/{made.key}/versions").json()["items"][0]
    assert (last["action"], last["reason"]) == ("release", "it goes well")
    assert last["difference"]["release"]["after"] == {
        "variant_key": "b",
        "share": 10_000,
        "population": "targeted",
        "ramp": None,
    }


def test_what_can_not_be_released_is_refused(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "running")
    path, wanted = f"/v1/experiments/{made.key}/release", {"variant_key": "b", "share": 10}
    assert api.put(path, json=wanted).status_code == 428
    early = api.put(path, json=wanted, headers={"if-match": "*"})
    assert (early.status_code, early.json()["code"]) == (409, "not_concluded")
    unknown = step(api, made.key, "conclude", SHIP | {"release": wanted | {"variant_key": "x"}})
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "release.variant_key")
    step(api, made.key, "conclude", SHIP).raise_for_status()
    for body, field in (
        ({"variant_key": "x"}, "variant_key"),
        (wanted | {"population": "some"}, "population"),
    ):
        refused = api.put(path, json=body, headers={"if-match": "*"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


def test_another_decision_serves_what_follows_from_it(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "released to nobody")
    path = f"/v1/experiments/{made.key}"
    api.patch(path, json={"decision": BACK}, headers={"if-match": "*"}).raise_for_status()
    assert made.assign("new")["reason"] == "concluded"
    api.patch(path, json={"decision": SHIP}, headers={"if-match": "*"}).raise_for_status()
    assert made.assign("new")["reason"] == "released"


def test_after_a_pause_each_unit_gets_its_own_variant_again(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "paused")
    assert _told(made, "stored").reason == "paused"
    step(api, made.key, "resume").raise_for_status()
    wait_until(lambda: made.assign("stored")["variant_key"] == "b", "the resumed experiment is known")
    assert made.assign("stored").get("served_by") is None


def test_an_archived_key_gives_nothing(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "released")
    step(api, made.key, "archive", FORCED).raise_for_status()
    found = made.assign("new")
    assert (found["variant_key"], found["reason"], found.get("payload")) == (None, "archived", None)
    answer = api.post(
        f"/ofrep/v1/evaluate/flags/{made.key}", json={"context": {"targetingKey": "u", "plan": "pro"}}
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert made.key not in api.get("/v1/configuration").text


def test_a_holdout_that_a_release_reads_stays_until_it_is_archived(
    api: httpx.Client, postgres: Server
) -> None:
    made = Made(api, postgres, "released")
    blocked = api.delete(f"/v1/holdouts/{made.holdout}").json()
    assert (blocked["code"], blocked["experiments"]) == ("holdout_in_use", [made.key])

    step(api, made.key, "archive", FORCED).raise_for_status()
    assert api.delete(f"/v1/holdouts/{made.holdout}").status_code == 204


def test_a_holdout_that_changes_without_a_version_changes_who_gets_the_release(
    api: httpx.Client, postgres: Server
) -> None:
    made = Made(api, postgres, "released")
    assert [made.assign(word)["reason"] for word in ("new", "held out")] == ["released", "holdout"]
    query(postgres, "UPDATE holdouts SET share = 0 WHERE key = %s", made.holdout)
    wait_until(lambda: made.assign("held out")["reason"] == "released", "the holdout is known to be empty")


def test_a_decision_that_comes_later_is_served_once_it_is_there(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "concluded")
    assert made.assign("new")["reason"] == "concluded"
    version = api.get(f"/v1/experiments/{made.key}").json()["version"]
    changed = api.patch(
        f"/v1/experiments/{made.key}",
        json={"decision": SHIP, "reason": "the data say so"},
        headers={"if-match": f'"{version}"'},
    )
    assert changed.status_code == 200, changed.text
    wait_until(lambda: made.assign("new")["reason"] == "released", "the decision is known")


@pytest.mark.parametrize("word", ["pause", "conclude"])
def test_no_request_fails_while_it_is_taken_away(api: httpx.Client, postgres: Server, word: str) -> None:
    """First assignments on their way to PostgreSQL, too, which refuses them once the experiment does not run."""
    key = draft(api, variants=ARMS, holdouts=[])["key"]
    step(api, key, "start").raise_for_status()
    ended: list[int] = []

    def ask(number: int) -> httpx.Response:
        return api.post("/v1/assignments", json={"experiment": key, "user_id": f"u-{number}"})

    def end() -> None:
        step(api, key, word).raise_for_status()
        ended.append(1)

    with ThreadPoolExecutor(12) as threads:
        jobs: list[Callable[[], httpx.Response]] = [lambda n=n: ask(n) for n in range(600)]  # type: ignore[misc]
        asked = [threads.submit(job) for job in jobs[:300]]
        ending = threads.submit(end)
        asked += [threads.submit(job) for job in jobs[300:]]
        answers = [one.result() for one in asked]
        ending.result()

    assert {answer.status_code for answer in answers} == {200}
    served = [answer.json() for answer in answers if answer.json().get("served_by") == "control"]
    assert served
    assert {found["variant_key"] for found in served} == {"a"}
    units = "SELECT count(*) FROM assignments JOIN experiments AS e ON e.id = experiment_id WHERE e.key = %s"
    assert query(postgres, units, key) == [(600 - len(served),)]
