"""Two API processes: one answer for each unit, whatever is asked at once and whatever is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.bench.http import Answer, Connection, Target
from neonblue.bucketing import Purpose, bucket
from neonblue.client import BatchOptions, Client, RetryPolicy
from tests.integration.api.conftest import TOKEN, Server, wait_until
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import running_api
from tests.integration.api.fleet import wait_until as until
from tests.integration.api.life_cycle import draft

Json = dict[str, Any]
USERS = 1_000
CONCURRENT = 50


@pytest.fixture(scope="module")
def second(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("second")
    with running_api(postgres, folder) as client:
        yield client


def rows(server: Server, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement.encode(), values).fetchall()


async def _ask_at_once(addresses: list[str], key: str) -> dict[str, list[Answer]]:
    """Each user's first requests all at once, half to each process."""
    targets = [Target.of(address, TOKEN) for address in addresses]
    connections = [
        (target, await Connection.open(target.host, target.port))
        for _ in range(CONCURRENT // 2)
        for target in targets
    ]
    found: dict[str, list[Answer]] = {}
    for n in range(USERS):
        user = f"{key}-{n}"
        body = f'{{"experiment":"{key}","user_id":"{user}"}}'.encode()
        found[user] = await asyncio.gather(
            *(connection.ask(target.post("/v1/assignments", body)) for target, connection in connections)
        )
    for _, connection in connections:
        connection.close()
    return found


def test_fifty_first_requests_at_once_of_each_of_a_thousand_users_agree(
    api: httpx.Client, second: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    answers = asyncio.run(_ask_at_once([str(api.base_url), str(second.base_url)], experiment.key))
    decode = httpx.Response
    variants: Counter[str] = Counter()
    for given in answers.values():
        bodies = [decode(answer.status, content=answer.body).json() for answer in given]
        assert {answer.status for answer in given} == {200}
        assert len(bodies) == CONCURRENT
        assert len({(body["variant_key"], body["version"], body["assigned_at"]) for body in bodies}) == 1
        assert sum(body["created"] for body in bodies) == 1
        variants[bodies[0]["variant_key"]] += 1
    assert variants.total() == USERS
    number = experiment.number
    stored = rows(
        postgres, "SELECT variant_key, count(*) FROM assignments WHERE experiment_id = %s GROUP BY 1", number
    )
    assert dict(stored) == dict(variants)
    exposures = "SELECT count(*) FROM events WHERE experiment_id = %s AND event_type = 'exposure'"
    assert rows(postgres, exposures, number) == [(USERS,)]


def variant(experiment: Written, user: str) -> str:
    return "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, user) >> 63]


def ask(api: httpx.Client, experiment: Written, user: str) -> Json:
    answer = api.post("/v1/assignments", json={"experiment": experiment.key, "user_id": user})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_without_postgresql_assignments_go_on_and_exposures_bring_the_new_ones_home(
    api: httpx.Client, second: httpx.Client, postgres: Server
) -> None:
    """A cached one is served, a new one is deterministic and not durable; the client's exposure stores it later."""
    experiment = write(postgres)
    known = f"known-{uuid4()}"
    new = [f"new-{uuid4()}" for _ in range(20)]
    before = ask(api, experiment, known)
    assert ask(second, experiment, known)["variant_key"] == before["variant_key"]
    client = Client(
        str(api.base_url),
        TOKEN,
        retry=RetryPolicy(base_seconds=0.05, cap_seconds=0.2),
        batch=BatchOptions(linger_seconds=0.01, attempts=2_000),
    )
    postgres.stop()
    try:
        again = ask(api, experiment, known)
        assert (again["variant_key"], again["assigned_at"]) == (before["variant_key"], before["assigned_at"])
        for process in (api, second):
            for user in new:
                found = ask(process, experiment, user)
                assert (found["variant_key"], found["durable"]) == (variant(experiment, user), False)
                assert (found["created"], found["assigned_at"]) == (False, None)
        for user in new:
            found = ask(api, experiment, user)
            client.expose(
                experiment.key, user, variant_key=found["variant_key"], configuration_version=found["version"]
            )
    finally:
        postgres.start()
    client.close()
    wait_until(lambda: api.get("/readyz").raise_for_status())
    assert client.counts.accepted == len(new)
    stored = dict(
        rows(
            postgres,
            "SELECT user_id, variant_key FROM assignments WHERE experiment_id = %s",
            experiment.number,
        )
    )
    assert stored == {user: variant(experiment, user) for user in new} | {known: before["variant_key"]}
    until(lambda: second.get("/readyz").status_code == 200, "the second process is ready")
    for user in new:
        answer = ask(second, experiment, user)
        assert (answer["variant_key"], answer["created"]) == (stored[user], False)
        assert "durable" not in answer


def test_a_process_that_has_not_heard_of_a_start_takes_the_exposures_that_follow_it(
    api: httpx.Client, second: httpx.Client, postgres: Server
) -> None:
    """Each is started by one process and met at once in the other, by a plain event."""
    keys = [draft(api)["key"] for _ in range(10)]
    until(lambda: second.get(f"/v1/experiments/{keys[-1]}").status_code == 200, "the other knows them")
    for key in keys:
        begun = api.post(f"/v1/experiments/{key}/start").raise_for_status().json()
        told = second.post("/v1/events", json={"event_type": "exposure", "experiment": key, "user_id": "u"})
        assert told.json().get("accepted") == 1, told.text
        assert rows(postgres, "SELECT user_id FROM assignments WHERE experiment_id = %s", begun["id"]) == [
            ("u",)
        ]
