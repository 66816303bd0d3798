"""All flags at once, before any of them is used: what is stored is told, and nothing is stored for its sake."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from neonblue.bucketing import Purpose, bucket
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import wait_until
from tests.integration.api.test_durability import query

Json = dict[str, Any]
FLAGS = "/ofrep/v1/evaluate/flags"


@pytest.fixture
def kind() -> str:
    """A unit type whose experiments are this test's alone."""
    return f"kind-{uuid4()}"


def flags(api: httpx.Client, kind: str, unit: str, **attributes: Any) -> dict[str, Json]:
    body = {"context": {"targetingKey": unit, "unit_type": kind} | attributes}
    answer = api.post(FLAGS, json=body)
    assert answer.status_code == 200, answer.text
    return {flag["key"]: flag for flag in answer.json()["flags"]}


def await_flags(api: httpx.Client, kind: str, *experiments: Written) -> None:
    keys = {experiment.key for experiment in experiments}
    wait_until(lambda: flags(api, kind, "nobody").keys() == keys, "the experiments are known")


def stored(server: Server, unit: str) -> list[tuple[Any, ...]]:
    return query(
        server, "SELECT experiment_id, variant_key, exposed_at FROM assignments WHERE user_id = %s", unit
    )


def assign(api: httpx.Client, experiment: Written, unit: str, **fields: Any) -> Json:
    answer = api.post("/v1/assignments", json={"experiment": experiment.key, "user_id": unit} | fields)
    found: Json = answer.raise_for_status().json()
    return found


def test_a_page_view_stores_nothing_where_the_population_is_the_exposed(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    experiments = [write(postgres, unit_type=kind) for _ in range(3)]
    await_flags(api, kind, *experiments)
    unit = f"u-{uuid4()}"

    shown = flags(api, kind, unit, country="DE")

    assert [flag["reason"] for flag in shown.values()] == ["SPLIT"] * 3
    assert stored(postgres, unit) == []
    assert query(postgres, "SELECT 1 FROM users WHERE external_id = %s", unit) == []
    assert query(postgres, "SELECT 1 FROM outbox_events WHERE payload::text LIKE %s", f"%{unit}%") == []


def test_what_is_shown_is_what_the_unit_gets(api: httpx.Client, postgres: Server, kind: str) -> None:
    experiment = write(postgres, unit_type=kind, targeting='attributes.plan == "pro"')
    await_flags(api, kind, experiment)
    for n in range(20):
        unit = f"u-{n}-{uuid4()}"
        shown = flags(api, kind, unit, plan="pro")[experiment.key]
        found = assign(api, experiment, unit, attributes={"plan": "pro"})
        assert (found["variant_key"], found["version"]) == (shown["variant"], shown["metadata"]["version"])
        assert found["created"]


def test_where_the_population_is_the_assigned_they_are_stored_as_before(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    counted, uncounted = (
        write(postgres, unit_type=kind, population="assigned"),
        write(postgres, unit_type=kind),
    )
    await_flags(api, kind, counted, uncounted)
    unit = f"u-{uuid4()}"

    shown = flags(api, kind, unit)

    assert stored(postgres, unit) == [(counted.number, shown[counted.key]["variant"], None)]


def test_many_assignments_that_are_asked_for_are_stored_as_before(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    experiment = write(postgres, unit_type=kind)
    await_flags(api, kind, experiment)
    unit = f"u-{uuid4()}"
    answer = api.post("/v1/assignments", json={"user_id": unit, "unit_type": kind}).raise_for_status()
    (item,) = answer.json()["items"]
    assert stored(postgres, unit) == [(experiment.number, item["variant_key"], None)]


def test_what_is_stored_wins_over_the_configuration(api: httpx.Client, postgres: Server, kind: str) -> None:
    """Also where no cache knows it: another process, or a restart."""
    experiment = write(postgres, unit_type=kind)
    await_flags(api, kind, experiment)
    unit = f"u-{uuid4()}"
    first = flags(api, kind, unit)[experiment.key]["variant"]
    other = "ab".replace(first, "")
    query(
        postgres,
        "INSERT INTO assignments (experiment_id, version, assigned_at, unit_type, user_id, variant_key) "
        "VALUES (%s, 1, now(), %s, %s, %s)",
        experiment.number,
        kind,
        unit,
        other,
    )
    assert flags(api, kind, unit)[experiment.key]["variant"] == other


def test_an_anonymous_id_is_shown_what_its_person_gets(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    experiment = write(postgres, unit_type=kind)
    await_flags(api, kind, experiment)
    salt = experiment.columns["salt"]

    def drawn(variant: str) -> str:
        while True:
            unit = f"u-{uuid4()}"
            if "ab"[bucket(salt, Purpose.VARIANT, unit) >> 63] == variant:
                return unit

    anonymous, person = drawn("a"), drawn("b")
    assert flags(api, kind, anonymous)[experiment.key]["variant"] == "a"
    link = {"anonymous_id": anonymous, "user_id": person, "unit_type": kind}
    api.post("/v1/users/links", json=link).raise_for_status()

    assert flags(api, kind, anonymous)[experiment.key]["variant"] == "b"
    assert stored(postgres, anonymous) == stored(postgres, person) == []
    assert assign(api, experiment, anonymous, unit_type=kind)["variant_key"] == "b"


def test_a_unit_that_is_left_out_and_a_tester_are_told_so(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    experiment = write(postgres, unit_type=kind, allocation=0)
    tester, outsider = f"t-{uuid4()}", f"u-{uuid4()}"
    experiment.force(tester, "b")
    wait_until(
        lambda: flags(api, kind, tester).get(experiment.key, {}).get("variant") == "b", "the tester is known"
    )
    left_out = flags(api, kind, outsider)[experiment.key]
    assert (left_out["reason"], left_out["metadata"]["reason"]) == ("DEFAULT", "not_in_allocation")
    assert stored(postgres, tester) == stored(postgres, outsider) == []


def test_an_answer_is_the_same_before_and_after_the_exposure(
    api: httpx.Client, postgres: Server, kind: str
) -> None:
    """So that a page that polls with the ETag is told of nothing new."""
    experiment = write(postgres, unit_type=kind)
    await_flags(api, kind, experiment)
    unit = f"u-{uuid4()}"
    before = flags(api, kind, unit)
    assign(api, experiment, unit)
    assert flags(api, kind, unit) == before
