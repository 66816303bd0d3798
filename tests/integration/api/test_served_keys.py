"""A key is safe to call in every status: each way of asking gives the one answer, and nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.bucketing import Holdout, Purpose, bucket
from neonblue.client import BatchOptions, Client
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.experiments import holdout
from tests.integration.api.fleet import wait_until
from tests.integration.api.life_cycle import draft, step
from tests.integration.api.test_durability import query

Json = dict[str, Any]
SHARE = 5_000
FORCED = {"force": True, "reason": "the test alone asks for it"}
SHIP = {"outcome": "ship", "variant_key": "b", "reason": "it helps"}
BACK = {"outcome": "roll_back", "reason": "it harms"}
ARMS = [
    {"key": "a", "is_control": True, "payload": {"value": "old"}},
    {"key": "b", "payload": {"value": "new"}},
]
VALUES = {"a": "old", "b": "new"}

Steps = list[tuple[str, Json | None]]
STATUSES: dict[str, Steps] = {
    "draft": [],
    "not_started": [("schedule", None)],
    "paused": [("start", None), ("pause", None)],
    "concluded": [("start", None), ("conclude", None)],
    "rolled back": [("start", None), ("pause", None), ("conclude", BACK)],
    "released": [("start", None), ("conclude", SHIP)],
}
KINDS = ("meant", "stored", "held out", "not targeted", "tester")


class Made:
    """An experiment in a status, and a unit of each kind."""

    def __init__(self, api: httpx.Client, postgres: Server, status: str) -> None:
        self.api, self.postgres, self.status = api, postgres, status
        self.kind = f"kind-{uuid4()}"
        self.holdout, salt = holdout(postgres, SHARE)
        bound = Holdout(salt, SHARE).bound

        def unit(word: str, *, held_out: bool) -> str:
            names = (f"{word}-{uuid4()}" for _ in range(200))
            return next(one for one in names if (bucket(salt, Purpose.HOLDOUT, one) < bound) == held_out)

        self.units = {word: unit(word.replace(" ", "-"), held_out=word == "held out") for word in KINDS}
        self.key = draft(
            api,
            variants=ARMS,
            unit_type=self.kind,
            holdouts=[self.holdout],
            targeting='attributes.plan == "pro"',
            scheduled_start_at=(datetime.now(UTC) + timedelta(days=1)).isoformat(),
        )["key"]
        forced = {"user_id": self.units["tester"], "variant_key": "b"}
        api.put(f"/v1/experiments/{self.key}/forced-variants", json=forced).raise_for_status()
        for word, body in STATUSES[status]:
            step(api, self.key, word, body).raise_for_status()
            if word == "start":
                self.own = self.assign("stored")["variant_key"]

    def attributes(self, word: str) -> Json:
        return {"plan": "free" if word == "not targeted" else "pro"}

    def assign(self, word: str) -> Json:
        body = {"experiment": self.key, "user_id": self.units[word], "attributes": self.attributes(word)}
        answer = self.api.post("/v1/assignments", json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def expected(self, word: str) -> tuple[str, str, str]:
        """Variant, reason, served by."""
        if word == "tester":
            return "b", "forced", "experiment"
        if self.status != "released":
            return "a", {"rolled back": "concluded"}.get(self.status, self.status), "control"
        left_out = {"held out": "holdout", "not targeted": "not_targeted"}.get(word)
        return ("b", "released", "release") if left_out is None else ("a", left_out, "control")

    def stored(self) -> int:
        """Assignments and exposures."""
        ((assignments, exposures),) = query(
            self.postgres,
            """SELECT (SELECT count(*) FROM assignments WHERE experiment_id = e.id),
                (SELECT count(*) FROM events WHERE experiment_id = e.id)
            FROM experiments AS e WHERE key = %s""",
            self.key,
        )
        return int(assignments) + int(exposures)


@pytest.fixture(scope="module", autouse=True)
def no_holdout_is_left(postgres: Server) -> Iterator[None]:
    """Each experiment that names none respects all of them: those of this file would keep other tests' units out."""
    before = query(postgres, "SELECT coalesce(array_agg(key), '{}') FROM holdouts")[0][0]
    yield
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DELETE FROM holdouts WHERE key <> ALL (%s)", (before,))


@pytest.fixture(scope="module", params=STATUSES)
def made(api: httpx.Client, postgres: Server, request: pytest.FixtureRequest) -> Made:
    return Made(api, postgres, request.param)


def _told(made: Made, word: str) -> tuple[str | None, str | None, str]:
    found = made.assign(word)
    assert found["payload"] == {"value": VALUES[found["variant_key"]]}
    assert (found["assigned_at"], found["created"]) == (None, False)
    return found["variant_key"], found["reason"], found.get("served_by", "experiment")


def _flag(made: Made, word: str, *, bulk: bool) -> tuple[str | None, str | None, str]:
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
    return flag["variant"], metadata["reason"], metadata.get("served_by", "experiment")


@pytest.mark.parametrize("word", KINDS)
def test_one_call_gives_the_one_answer_and_stores_nothing(made: Made, word: str) -> None:
    before = made.stored()
    assert _told(made, word) == made.expected(word)
    assert _flag(made, word, bulk=False) == made.expected(word)
    assert made.stored() == before


@pytest.mark.parametrize("word", KINDS)
def test_all_flags_at_once_and_who_evaluates_for_himself_agree(made: Made, word: str) -> None:
    if made.status in ("draft", "not_started"):  # whose arms nobody is told who does not ask for the key
        answer = made.api.post(
            "/ofrep/v1/evaluate/flags",
            json={"context": {"targetingKey": made.units[word], "unit_type": made.kind}},
        )
        assert answer.json()["flags"] == []
        assert made.key not in made.api.get("/v1/configuration").text
        return
    before = made.stored()
    assert _flag(made, word, bulk=True) == made.expected(word)
    with Client(str(made.api.base_url), TOKEN, batch=BatchOptions(linger_seconds=0)) as client:
        found = client.variant(made.key, made.units[word], made.attributes(word))
    assert (found.variant_key, found.reason, found.served_by) == made.expected(word)
    assert found.payload == {"value": VALUES[found.variant_key or ""]}
    assert not found.exposable
    assert made.stored() == before


def test_a_client_that_exposes_whatever_has_a_variant_adds_nobody(made: Made) -> None:
    """As the client of the version before: it knows nothing of `served_by`."""
    answers = {word: made.assign(word) for word in KINDS if word != "stored"}
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


def test_after_a_pause_each_unit_gets_its_own_variant_again(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "paused")
    assert _told(made, "stored")[1] == "paused"
    step(api, made.key, "resume").raise_for_status()
    wait_until(lambda: made.assign("stored")["variant_key"] == made.own, "the resumed experiment is known")
    assert made.assign("stored").get("served_by") is None


def test_an_archived_key_gives_nothing(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "released")
    step(api, made.key, "archive", FORCED).raise_for_status()
    found = made.assign("meant")
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
    assert [made.assign(word)["reason"] for word in ("meant", "held out")] == ["released", "holdout"]
    query(postgres, "UPDATE holdouts SET share = 0 WHERE key = %s", made.holdout)
    wait_until(lambda: made.assign("held out")["reason"] == "released", "the holdout is known to be empty")


def test_a_decision_that_comes_later_is_served_once_it_is_there(api: httpx.Client, postgres: Server) -> None:
    made = Made(api, postgres, "concluded")
    assert made.assign("meant")["reason"] == "concluded"
    version = api.get(f"/v1/experiments/{made.key}").json()["version"]
    changed = api.patch(
        f"/v1/experiments/{made.key}",
        json={"decision": SHIP, "reason": "the data say so"},
        headers={"if-match": f'"{version}"'},
    )
    assert changed.status_code == 200, changed.text
    wait_until(lambda: made.assign("meant")["reason"] == "released", "the decision is known")


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
