"""Assignment over HTTP on a real PostgreSQL: who gets what, what stays, and what is never stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from neonblue.bucketing import Purpose, bucket
from neonblue.contract.identifiers import uuid7
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, holdout, layer, write
from tests.integration.api.fleet import wait_until

Json = dict[str, Any]


@pytest.fixture
def no_holdouts(postgres: Server) -> None:
    """Holdouts apply to every experiment: those of other tests must not reach these."""
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DELETE FROM holdouts")


def user() -> str:
    return f"user-{uuid4()}"


def ask(api: httpx.Client, experiment: Written | None, user_id: str, **fields: Any) -> Json:
    named = {} if experiment is None else {"experiment": experiment.key}
    answer = api.post("/v1/assignments", json=named | {"user_id": user_id} | fields)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def rows(server: Server, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def stored(server: Server, experiment: Written, user_id: str) -> list[tuple[Any, ...]]:
    return rows(
        server,
        "SELECT variant_key FROM assignments WHERE experiment_id = %s AND user_id = %s",
        experiment.number,
        user_id,
    )


def known(api: httpx.Client, experiment: Written, seen: Callable[[Json], bool]) -> None:
    """Wait until the API has seen a change of the experiment."""
    wait_until(lambda: seen(ask(api, experiment, user(), expose=False)), "the change is seen")


def test_all_running_experiments_of_the_units_type_answer_at_once_and_expose_nothing(
    api: httpx.Client, postgres: Server
) -> None:
    kind = f"kind-{uuid4()}"
    running = [write(postgres, unit_type=kind) for _ in range(3)]
    write(postgres, unit_type=kind, status="draft")
    write(postgres, unit_type=kind, source="external")
    write(postgres, unit_type=f"other-{uuid4()}")
    wait_until(lambda: len(ask(api, None, user(), unit_type=kind)["items"]) == 3, "all are known")
    person = user()
    items = ask(api, None, person, unit_type=kind)["items"]
    assert [item["experiment"] for item in items] == [experiment.key for experiment in running]
    assert {item["status"] for item in items} == {"accepted"}
    exposed = "SELECT count(*) FROM assignments WHERE user_id = %s AND exposed_at IS NOT NULL"
    assert rows(postgres, exposed, person) == [(0,)]
    again = ask(api, None, person, unit_type=kind)["items"]
    assert [item["variant_key"] for item in again] == [item["variant_key"] for item in items]
    assert {item["status"] for item in again} == {"duplicate"}


def test_a_batch_may_mix_one_all_and_wrong_ones(api: httpx.Client, postgres: Server) -> None:
    kind = f"kind-{uuid4()}"
    one, two = write(postgres, unit_type=kind), write(postgres, unit_type=kind)
    wait_until(lambda: len(ask(api, None, user(), unit_type=kind)["items"]) == 2, "both are known")
    body = [
        {"experiment": one.key, "user_id": "m"},
        {"experiment": "none", "user_id": "m"},
        {"user_id": "m", "unit_type": kind},
        {"user_id": "m", "unit_type": kind, "variant_key": "a"},
    ]
    items = api.post("/v1/assignments", json=body).json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2, 2, 3]
    assert [item.get("code") for item in items] == [None, "unknown_experiment", None, None, "external_only"]
    assert items[0]["variant_key"] == items[2]["variant_key"]
    assert items[3]["experiment"] == two.key


def test_too_many_assignments_in_one_request_are_refused(api: httpx.Client, postgres: Server) -> None:
    kind = f"kind-{uuid4()}"
    for _ in range(11):
        write(postgres, unit_type=kind, allocation=0)
    wait_until(lambda: len(ask(api, None, user(), unit_type=kind)["items"]) == 11, "all are known")
    body = [{"user_id": f"u{n}", "unit_type": kind} for n in range(1_000)]
    answer = api.post("/v1/assignments", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_items")


def test_a_targeted_experiment_takes_those_it_means_and_keeps_them(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres, targeting='attributes.country == "DE"')
    meant, other = user(), user()
    known(api, experiment, lambda answer: answer.get("reason") == "not_targeted")
    assert ask(api, experiment, other, attributes={"country": "FR"})["reason"] == "not_targeted"
    first = ask(api, experiment, meant, attributes={"country": "DE"})
    assert first["created"]
    moved = ask(api, experiment, meant, attributes={"country": "FR"})
    assert (moved["variant_key"], moved["created"]) == (first["variant_key"], False)
    assert stored(postgres, experiment, other) == []


def test_an_expression_without_an_answer_is_counted(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres, targeting="attributes.age >= 18")
    known(api, experiment, lambda answer: answer.get("reason") == "not_targeted")
    assert ask(api, experiment, user(), attributes={"age": "old"})["reason"] == "not_targeted"
    line = f'neonblue_targeting_errors_total{{experiment="{experiment.key}"}}'
    assert line in api.get("/metrics").text


def test_experiments_of_a_layer_share_no_unit(api: httpx.Client, postgres: Server) -> None:
    number, _ = layer(postgres)
    one = write(postgres, layer_id=number, layer_start=0, layer_end=4_000)
    two = write(postgres, layer_id=number, layer_start=4_000, layer_end=10_000)
    people = [user() for _ in range(100)]
    wait_until(lambda: "code" not in ask(api, two, user(), expose=False), "both are known")
    body = [{"experiment": item.key, "user_id": person} for person in people for item in (one, two)]
    items = api.post("/v1/assignments", json=body).json()["items"]
    for first, second in zip(items[::2], items[1::2], strict=True):
        assert sorted([first.get("reason", ""), second.get("reason", "")]) == ["", "not_in_layer"]


def test_a_holdout_sees_nothing_and_those_let_in_before_it_stay(
    api: httpx.Client, postgres: Server, no_holdouts: None
) -> None:
    experiment = write(postgres, holdouts=None)
    early = user()
    before = ask(api, experiment, early)
    key, salt = holdout(postgres, 10_000)
    try:
        known(api, experiment, lambda answer: answer.get("reason") == "holdout")
        assert ask(api, experiment, early)["variant_key"] == before["variant_key"]
        late = user()
        assert (ask(api, experiment, late)["variant_key"], ask(api, experiment, late)["in_experiment"]) == (
            "a",
            False,
        )
        assert stored(postgres, experiment, late) == []
        assert bucket(salt, Purpose.HOLDOUT, late) >= 0
        experiment.change(holdouts=[])
        known(api, experiment, lambda answer: answer.get("in_experiment") is None)
    finally:
        rows(postgres, "DELETE FROM holdouts WHERE key = %s RETURNING 1", key)


def test_a_dropped_arm_enrols_nobody_and_keeps_whom_it_has(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres)
    people = [user() for _ in range(40)]
    before = {person: ask(api, experiment, person)["variant_key"] for person in people}
    experiment.drop("b")
    wait_until(
        lambda: ask(api, experiment, user(), expose=False).get("reason") == "dropped_arm", "the drop is seen"
    )
    assert {person: ask(api, experiment, person)["variant_key"] for person in people} == before
    late = [ask(api, experiment, user()) for _ in range(40)]
    assert {
        (answer["variant_key"], answer.get("reason"), answer.get("in_experiment")) for answer in late
    } == {
        ("a", None, None),
        ("a", "dropped_arm", False),
    }


def test_whatever_happens_to_the_weights_an_assignment_stays(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres)
    people = [user() for _ in range(30)]
    before = [ask(api, experiment, person)["variant_key"] for person in people]
    rows(
        postgres,
        "UPDATE variants SET weight = CASE key WHEN 'a' THEN 1 ELSE 1000000 END WHERE experiment_id = %s RETURNING 1",
        experiment.number,
    )
    experiment.change(allocation=9_999)
    known(api, experiment, lambda answer: answer["version"] == 2)
    assert "a" in before
    assert [ask(api, experiment, person)["variant_key"] for person in people] == before


def test_a_testers_variant_is_neither_stored_nor_exposed(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres, allocation=0)
    tester = user()
    ask(api, experiment, tester)
    experiment.force(tester, "b")
    wait_until(lambda: ask(api, experiment, tester)["variant_key"] == "b", "the tester is known")
    answer = ask(api, experiment, tester)
    assert (answer["reason"], answer["created"], answer["assigned_at"]) == ("forced", False, None)
    assert stored(postgres, experiment, tester) == []
    assert rows(postgres, "SELECT 1 FROM events WHERE user_id = %s", tester) == []


def test_the_variants_payload_comes_with_it(api: httpx.Client, postgres: Server) -> None:
    payload = {"value": {"colour": "green", "sizes": [1, 2]}}
    experiment = write(postgres, payloads={"a": payload, "b": payload})
    person = user()
    for _ in range(2):
        assert ask(api, experiment, person)["payload"] == payload


def test_what_is_stored_of_a_unit_can_be_read(api: httpx.Client, postgres: Server) -> None:
    one, two = write(postgres), write(postgres)
    person = user()
    first, second = ask(api, one, person), ask(api, two, person, expose=False)
    answer = api.get("/v1/assignments", params={"user_id": person}).json()
    assert [(item["experiment"], item["variant_key"]) for item in answer["items"]] == [
        (one.key, first["variant_key"]),
        (two.key, second["variant_key"]),
    ]
    assert answer["items"][0]["exposed_at"]
    assert answer["items"][1]["exposed_at"] is None
    assert api.get("/v1/assignments").status_code == 422
    assert api.get("/v1/assignments", params={"user_id": user()}).json()["items"] == []


def exposure(experiment: Written, user_id: str, **fields: Any) -> Json:
    return {
        "id": uuid7(),
        "user_id": user_id,
        "event_type": "exposure",
        "experiment": experiment.key,
        "configuration_version": 1,
    } | fields


def counted(api: httpx.Client, outcome: str) -> float:
    prefix = f'neonblue_carried_assignments_total{{outcome="{outcome}"}}'
    return sum(
        float(line.split()[-1]) for line in api.get("/metrics").text.splitlines() if line.startswith(prefix)
    )


def test_a_carried_assignment_is_stored_with_its_exposure_once(api: httpx.Client, postgres: Server) -> None:
    experiment = write(postgres)
    salt = experiment.columns["salt"]
    person = user()
    variant = "ab"[bucket(salt, Purpose.VARIANT, person) >> 63]
    before = counted(api, "stored")
    sent = exposure(experiment, person, variant_key=variant)
    for _ in range(2):
        answer = api.post("/v1/events", json=[sent, exposure(experiment, person, variant_key=variant)]).json()
        assert answer["rejected"] == 0
    assert stored(postgres, experiment, person) == [(variant,)]
    assert counted(api, "stored") == before + 1
    again = ask(api, experiment, person)
    assert (again["variant_key"], again["created"]) == (variant, False)
    messages = rows(
        postgres,
        """SELECT count(*) FROM outbox_events WHERE aggregate_type LIKE 'assignment%%' AND payload::text LIKE %s""",
        f"%{person}%",
    )
    assert messages == [(1,)]


def test_an_assignment_that_exists_wins_over_a_carried_one_and_that_is_counted(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    person = user()
    variant = ask(api, experiment, person, expose=False)["variant_key"]
    other = "ab".replace(variant, "")
    rows(postgres, "UPDATE assignments SET variant_key = %s WHERE user_id = %s RETURNING 1", other, person)
    with_fresh_cache = user()  # the process knows `person` already: ask for what only PostgreSQL knows
    rows(
        postgres,
        "INSERT INTO assignments (experiment_id, version, assigned_at, unit_type, user_id, variant_key) "
        "VALUES (%s, 1, now(), 'user', %s, %s) RETURNING 1",
        experiment.number,
        with_fresh_cache,
        "ab"[1 - (bucket(experiment.columns["salt"], Purpose.VARIANT, with_fresh_cache) >> 63)],
    )
    before = counted(api, "conflict")
    carried = "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, with_fresh_cache) >> 63]
    sent = exposure(experiment, with_fresh_cache, variant_key=carried)
    assert api.post("/v1/events", json=[sent]).json()["accepted"] == 1
    assert stored(postgres, experiment, with_fresh_cache) == [("ab".replace(carried, ""),)]
    assert counted(api, "conflict") == before + 1
    stamped = rows(postgres, "SELECT variant_key FROM events WHERE id = %s", sent["id"])
    assert stamped == [("ab".replace(carried, ""),)]


def test_a_client_can_carry_neither_a_variant_nor_a_version_of_its_own_choice(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    chooser, dreamer = user(), user()
    right = {
        who: "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, who) >> 63]
        for who in (chooser, dreamer)
    }
    wrong = "ab".replace(right[chooser], "")
    mismatch, unknown = counted(api, "mismatch"), counted(api, "unknown_version")
    sent = [
        exposure(experiment, chooser, variant_key=wrong),
        exposure(experiment, dreamer, variant_key=right[dreamer], configuration_version=99),
    ]
    assert api.post("/v1/events", json=sent).json()["accepted"] == 2
    assert stored(postgres, experiment, chooser) == stored(postgres, experiment, dreamer) == []
    assert (counted(api, "mismatch"), counted(api, "unknown_version")) == (mismatch + 1, unknown + 1)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"event_type": "visit", "variant_key": "a"}, "exposure_only", "configuration_version"),
        ({"variant_key": None}, "variant_required", "variant_key"),
        ({"variant_key": "zzz"}, "unknown_variant", "variant_key"),
        ({"variant_key": "a", "configuration_version": 0}, "value_out_of_range", "configuration_version"),
    ],
)
def test_an_exposure_that_carries_nonsense_is_refused(
    api: httpx.Client, postgres: Server, fields: Json, code: str, field: str
) -> None:
    sent = exposure(write(postgres), user(), **fields)
    body = {name: value for name, value in sent.items() if value is not None}
    item = api.post("/v1/events", json=[body]).json()["items"][0]
    assert (item["code"], item["field"]) == (code, field)


def test_an_exposure_that_comes_as_an_event_is_recorded_with_the_assignment(
    api: httpx.Client, postgres: Server
) -> None:
    experiment = write(postgres)
    known(api, experiment, lambda found: found.get("in_experiment") is None)
    person, other = user(), user()
    ask(api, experiment, person, expose=False)
    first, second = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (0, 2))

    def send(*exposures: tuple[str, datetime]) -> Json:
        events = [
            {
                "event_type": "exposure",
                "experiment_id": experiment.number,
                "user_id": unit,
                "timestamp": at.isoformat(),
            }
            for unit, at in exposures
        ]
        found: Json = api.post("/v1/events", json=events).raise_for_status().json()
        return found

    assert send((person, second), (person, first), (other, first))["accepted"] == 3
    assert send((person, second))["accepted"] == 1

    exposed = "SELECT user_id, exposed_at FROM assignments WHERE experiment_id = %s AND user_id = ANY(%s)"
    assert dict(rows(postgres, exposed, experiment.number, [person, other])) == {person: first, other: first}
    # Recorded: asking with exposure now stores no further one.
    ask(api, experiment, person)
    events = "SELECT count(*) FROM events WHERE experiment_id = %s AND user_id = %s"
    assert rows(postgres, events, experiment.number, person) == [(3,)]
