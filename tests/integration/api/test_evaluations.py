"""What keys are asked for is counted over all processes, and a key in use is not put away unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.integration.api.conftest import Server
from tests.integration.api.experiments import write
from tests.integration.api.fleet import running_api, wait_until
from tests.integration.api.life_cycle import Json, draft, refused, rows, started, step

SHIP = {"outcome": "ship", "variant_key": "b", "reason": "it helps"}
FORCED = {"force": True, "reason": "only a crawler asks"}


@pytest.fixture(scope="module")
def other(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Another process on the same PostgreSQL."""
    with running_api(postgres, tmp_path_factory.mktemp("other")) as client:
        yield client


def evaluations(api: httpx.Client, key: str, **query: Any) -> Json:
    found: Json = api.get(f"/v1/experiments/{key}/evaluations", params=query).raise_for_status().json()
    return found


def by_kind(counts: list[Json]) -> Counter[tuple[str | None, str]]:
    return Counter({(count["variant_key"], count["reason"]): count["count"] for count in counts})


def await_total(api: httpx.Client, key: str, total: int) -> Json:
    """The evaluations once as many are stored. What is counted twice is one too many for good."""
    wait_until(lambda: evaluations(api, key)["total"] >= total, f"{total} evaluations of {key} are stored")
    return evaluations(api, key)


def keep(server: Server, number: int, count: int, **past: float) -> None:
    """Store so many answers of so long ago."""
    with psycopg.connect(server.dsn) as connection:
        connection.execute(
            """INSERT INTO evaluations SELECT %s, date_trunc('hour', at), '', 'holdout', %s, at, at
            FROM (SELECT now() - %s) AS t (at)""",
            (number, count, timedelta(**past)),
        )


def ask(api: httpx.Client, body: Any) -> Any:
    answer = api.post("/v1/assignments", json=body)
    assert answer.status_code in (200, 207, 422), answer.text
    return answer.json()


def test_every_answer_to_a_key_is_counted_once_over_two_processes(
    api: httpx.Client, other: httpx.Client, postgres: Server
) -> None:
    live, paused = (write(postgres, status=status).key for status in ("running", "paused"))
    for client, key in product((api, other), (live, paused)):
        probe = {"experiment": key, "user_id": "p", "variant_key": "a"}  # refused, so not counted
        wait_until(lambda: ask(client, probe)["code"] == "external_only", "both know both")  # noqa: B023
    expected: dict[str, Counter[tuple[str | None, str]]] = {live: Counter(), paused: Counter()}

    def work(turn: int) -> Counter[tuple[str, str | None, str]]:
        client = (api, other)[turn % 2]
        unit, seen = f"user-{turn % 5}-{uuid4()}", Counter[tuple[str, str | None, str]]()
        single = [ask(client, {"experiment": key, "user_id": unit}) for key in (live, live, live, paused)]
        many = ask(
            client,
            [
                {"experiment": live, "user_id": unit, "expose": False},
                {"experiment": paused, "user_id": unit},
                {"experiment": f"unknown-{uuid4()}", "user_id": unit},
                {"experiment": live},
            ],
        )["items"]
        ask(client, {"user_id": unit, "unit_type": f"none-{uuid4()}"})
        for answer in (*single, *many):
            if "code" not in answer:
                seen[answer["experiment"], answer["variant_key"], answer.get("reason") or "assigned"] += 1
        context = {"context": {"targetingKey": unit}}
        flag = client.post(f"/ofrep/v1/evaluate/flags/{live}", json=context).json()
        seen[live, flag["variant"], "assigned"] += 1
        client.post("/ofrep/v1/evaluate/flags", json=context).raise_for_status()
        client.post(f"/ofrep/v1/evaluate/flags/unknown-{uuid4()}", json=context)
        exposure = {"event_type": "exposure", "user_id": unit, "experiment": live, "id": str(uuid4())}
        exposure["timestamp"] = datetime.now(UTC).isoformat()
        for _ in range(2):  # the second is a duplicate
            client.post("/v1/events", json=exposure).raise_for_status()
        seen[live, flag["variant"], "exposure"] += 1
        return seen

    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(work, range(40)):
            for (key, variant, reason), count in seen.items():
                expected[key][variant, reason] += count

    for key, whole in expected.items():
        found = await_total(other, key, whole.total())
        assert by_kind(found["counts"]) == whole
        assert sum((by_kind(hour["counts"]) for hour in found["hours"]), Counter()) == whole
        assert [hour["total"] for hour in found["hours"]] == [
            sum(count["count"] for count in hour["counts"]) for hour in found["hours"]
        ]
        assert found["counted_since"] <= found["first_asked_at"] <= found["last_asked_at"]
    assert by_kind(evaluations(api, live)["counts"])[None, "exposure"] == 0


def test_a_draft_that_is_asked_for_is_counted_and_its_counts_go_with_it(
    api: httpx.Client, postgres: Server
) -> None:
    made = draft(api)
    ask(api, {"experiment": made["key"], "user_id": "u"})
    found = await_total(api, made["key"], 1)
    assert by_kind(found["counts"]) == {("a", "draft"): 1}

    api.delete(f"/v1/experiments/{made['key']}").raise_for_status()
    assert rows(postgres, "SELECT count(*) FROM evaluations WHERE experiment_id = %s", made["id"]) == [(0,)]


def test_what_is_told_of_an_import_is_not_asked_for(api: httpx.Client) -> None:
    imported, asked = started(api, source="external")["key"], started(api)["key"]
    ask(api, {"experiment": imported, "user_id": "u", "variant_key": "b"})
    event = {"event_type": "exposure", "user_id": "u", "experiment": imported, "id": str(uuid4())}
    api.post("/v1/events", json=event | {"timestamp": datetime.now(UTC).isoformat()}).raise_for_status()
    ask(api, {"experiment": asked, "user_id": "u"})

    await_total(api, asked, 1)  # counted after, stored with whatever was counted before
    assert evaluations(api, imported)["total"] == 0
    step(api, imported, "conclude").raise_for_status()
    step(api, imported, "archive").raise_for_status()


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_key_that_was_asked_for_a_moment_ago_is_archived_by_force_alone(
    api: httpx.Client, idempotent: bool
) -> None:
    key = started(api)["key"]
    for user in range(3):
        ask(api, {"experiment": key, "user_id": f"u{user}"})
    headers = {"idempotency-key": str(uuid4())} if idempotent else {}

    running = step(api, key, "archive", None, **headers)
    assert running.json()["code"] == "illegal_step"
    step(api, key, "conclude", SHIP).raise_for_status()
    ask(api, {"experiment": key, "user_id": "u0"})
    headers = {"idempotency-key": str(uuid4())} if idempotent else {}
    answer = step(api, key, "archive", {"reason": "done"}, **headers)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "still_evaluated")
    assert problem["evaluations"] >= 4
    assert "take it out of the code first" in problem["detail"]
    assert datetime.now(UTC) - datetime.fromisoformat(problem["last_asked_at"]) < timedelta(minutes=2)
    assert await_total(api, key, 4)["total"] == 4  # the refusal took none with it
    assert step(api, key, "archive").json()["evaluations"] == 4
    assert refused(step(api, key, "archive", {"force": True})) == {"reason": "missing_field"}
    assert refused(step(api, key, "archive", {"force": True, "reason": " "})) == {"reason": "missing_field"}
    assert refused(step(api, key, "archive", {"force": "yes"})) == {"force": "wrong_type"}
    assert step(api, key, "archive", FORCED).json()["status"] == "archived"
    newest = api.get(f"/v1/experiments/{key}/versions").json()["items"][0]
    assert (newest["action"], newest["reason"]) == ("archive", FORCED["reason"])


def test_a_key_that_another_process_was_asked_for_is_refused_too(
    api: httpx.Client, other: httpx.Client, postgres: Server
) -> None:
    made = started(api)
    key = made["key"]
    wait_until(lambda: ask(other, {"experiment": key, "user_id": "u"}).get("code") is None, "it is known")
    total = await_total(api, key, 1)["total"]
    step(api, key, "conclude").raise_for_status()
    assert step(api, key, "archive").json()["evaluations"] == total

    age = "UPDATE evaluations SET hour = hour - %(past)s, first_at = first_at - %(past)s, last_at = last_at - %(past)s"
    with psycopg.connect(postgres.dsn) as connection:
        past = {"past": timedelta(days=7, minutes=1), "number": made["id"]}
        connection.execute((age + " WHERE experiment_id = %(number)s").encode(), past)
    assert step(api, key, "archive").json()["status"] == "archived"


def test_a_process_forgets_what_is_older_than_90_days_and_stores_its_last_counts_as_it_ends(
    api: httpx.Client, postgres: Server, tmp_path: Any
) -> None:
    old, asked = write(postgres), write(postgres).key
    for days in (89, 91):
        keep(postgres, old.number, days, days=days)
    left = "SELECT count FROM evaluations WHERE experiment_id = %s"
    with running_api(postgres, tmp_path) as ending:  # which keeps house as it begins
        wait_until(lambda: rows(postgres, left, old.number) == [(89,)], "the older count is gone")
        for user in range(7):
            assert "code" not in ask(ending, {"experiment": asked, "user_id": f"u{user}"})
    assert evaluations(api, asked)["total"] == 7


def test_a_span_is_chosen_by_its_begin_and_length(api: httpx.Client, postgres: Server) -> None:
    written = write(postgres)
    hours = {0: 1, 1: 2, 24: 4, 24 * 89: 8}
    (now,) = rows(postgres, "SELECT date_trunc('hour', now())")[0]
    for past, count in hours.items():
        keep(postgres, written.number, count, hours=past)
    for query, total in (
        ({}, 7), ({"hours": 1}, 1), ({"hours": 2}, 3), ({"hours": 2_160}, 15),
        ({"since": (now - timedelta(hours=1)).isoformat(), "hours": 1}, 2),
        ({"since": (now - timedelta(minutes=1)).isoformat(), "hours": 1}, 2),
        ({"since": (now - timedelta(hours=24)).strftime("%Y-%m-%dT%H:%M:%SZ"), "hours": 24}, 6),
        ({"since": "2026-01-01T05:30:00+05:30", "hours": 1}, 0),
    ):  # fmt: skip
        found = evaluations(api, written.key, **query)
        assert found["total"] == total, query
        span = datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"])
        assert span == timedelta(hours=query.get("hours", 168))
        assert datetime.fromisoformat(found["last_asked_at"]) >= now
    assert found["since"] == "2026-01-01T00:00:00Z"


def test_a_span_beyond_what_is_kept_and_an_unknown_key_are_refused(api: httpx.Client) -> None:
    key = draft(api)["key"]
    path = f"/v1/experiments/{key}/evaluations"
    for query in ({"hours": "0"}, {"hours": "2161"}, {"hours": "x"}, {"since": "yesterday"}):
        answer = api.get(path, params=query)
        assert (answer.status_code, list(refused(answer))) == (422, list(query)), query
    assert api.get("/v1/experiments/nobody/evaluations").status_code == 404
    never = evaluations(api, key)
    assert (never["total"], never["first_asked_at"], never["last_asked_at"], never["hours"]) == (
        0,
        None,
        None,
        [],
    )


STATUSES = ("draft", "scheduled", "running", "paused", "concluded", "archived")
NEVER = ("draft", "scheduled", "archived")
DECISION = {"outcome": "roll_back", "variant_key": None, "reason": "it harms"}
DAYS = (None, 1, 20)
"""How long ago something was; None: never."""


@pytest.fixture
def counted(postgres: Server) -> Iterator[Any]:
    """Sets for how many days there have been counts."""

    def since(days: int) -> None:
        with psycopg.connect(postgres.dsn) as connection:
            connection.execute(
                "UPDATE evaluations_since SET since = now() - make_interval(days => %s)", (days,)
            )

    (before,) = rows(postgres, "SELECT since FROM evaluations_since")[0]
    yield since
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("UPDATE evaluations_since SET since = %s", (before,))


def test_stale_is_what_was_decided_long_ago_or_is_not_asked_for(
    api: httpx.Client, postgres: Server, counted: Any
) -> None:
    owner, now = f"owner-{uuid4()}", datetime.now(UTC)
    cases: dict[str, tuple[str, str, int | None, int | None, int | None]] = {}
    for case in product(STATUSES, ("internal", "external"), (1, 20), DAYS, DAYS):
        status, source, begun, asked, decided = case
        ended = status in ("concluded", "archived")
        if decided is not None and not ended:
            continue
        if status in NEVER and (begun == 1 or source == "external"):  # stale in no case
            continue
        began = None if status in ("draft", "scheduled") else now - timedelta(days=begun)
        decision = None if decided is None else Jsonb(
            DECISION | {"decided_at": (now - timedelta(days=decided)).isoformat()}
        )  # fmt: skip
        written = write(
            postgres, status=status, source=source, owner=owner, started_at=began, decision=decision,
            concluded_at=began if ended else None,
        )  # fmt: skip
        cases[written.key] = case
        if asked is not None:
            keep(postgres, written.number, 1, days=asked)

    def stale() -> set[str]:
        page = api.get("/v1/experiments", params={"stale": "true", "owner": owner, "limit": 200})
        page = page.raise_for_status().json()
        assert page["next_cursor"] is None
        return {item["key"] for item in page["items"]}

    def released(case: tuple[str, str, int | None, int | None, int | None]) -> bool:
        status, _, begun, _, decided = case
        return status == "concluded" and begun == 20 and decided == 20

    def unasked(case: tuple[str, str, int | None, int | None, int | None]) -> bool:
        status, source, begun, asked, _ = case
        under_way = status in ("running", "paused", "concluded") and source == "internal" and begun == 20
        return under_way and asked != 1

    counted(30)
    assert stale() == {key for key, case in cases.items() if released(case) or unasked(case)}
    counted(13)
    assert stale() == {key for key, case in cases.items() if released(case)}
    listed = api.get("/v1/experiments", params={"stale": "false", "owner": owner, "limit": 200}).json()[
        "items"
    ]
    assert len(listed) == len(cases)
    assert list(refused(api.get("/v1/experiments", params={"stale": "perhaps"}))) == ["stale"]
