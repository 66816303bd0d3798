"""Exposures that come as events alone: whose unit has no assignment gets one, or is counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from neonblue.bucketing import Purpose, bucket
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import wait_until
from tests.integration.api.prometheus import counted
from tests.integration.api.test_durability import query

Json = dict[str, Any]
NAME = "neonblue_unassigned_exposures_total"


def exposure(experiment: Written, unit: str, **fields: Any) -> Json:
    return {"event_type": "exposure", "experiment": experiment.key, "user_id": unit} | fields


def send(api: httpx.Client, *events: Json) -> None:
    answer = api.post("/v1/events", json=list(events))
    assert answer.json()["accepted"] == len(events), answer.text


def variant_of(experiment: Written, unit: str) -> str:
    return "ab"[bucket(experiment.columns["salt"], Purpose.VARIANT, unit) >> 63]


def stored(server: Server, experiment: Written) -> list[tuple[Any, ...]]:
    return query(
        server,
        "SELECT user_id, variant_key, version, exposed_at IS NOT NULL FROM assignments WHERE experiment_id = %s",
        experiment.number,
    )


def test_the_unit_is_assigned_and_exposed_as_the_configuration_says(
    api: httpx.Client, postgres: Server
) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"

    send(api, exposure(experiment, unit), exposure(experiment, unit))

    variant = variant_of(experiment, unit)
    assert stored(postgres, experiment) == [(unit, variant, 1, True)]
    stamped = query(postgres, "SELECT DISTINCT variant_key FROM events WHERE user_id = %s", unit)
    assert stamped == [(variant,)]
    told = query(
        postgres,
        "SELECT count(*) FROM outbox_events WHERE aggregate_type LIKE 'assignment%%' AND payload::text LIKE %s",
        f"%{unit}%",
    )
    assert told == [(1,)]
    assert counted(api, NAME, experiment=experiment.key, outcome="stored") == 1
    answer = api.post("/v1/assignments", json={"experiment": experiment.key, "user_id": unit}).json()
    assert (answer["variant_key"], answer["created"]) == (variant, False)


def test_the_earliest_of_several_is_the_first_exposure(api: httpx.Client, postgres: Server) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    later = datetime.now(UTC) + timedelta(seconds=60)
    early = later - timedelta(seconds=30)
    send(api, *(exposure(experiment, unit, timestamp=at.isoformat()) for at in (later, early)))
    assert query(postgres, "SELECT assigned_at, exposed_at FROM assignments WHERE user_id = %s", unit) == [
        (early, early)
    ]


def test_many_units_of_one_request_are_assigned_at_once(api: httpx.Client, postgres: Server) -> None:
    experiment, units = write(postgres), [f"u-{n}-{uuid4()}" for n in range(200)]
    send(api, *(exposure(experiment, unit) for unit in units))
    assert sorted(stored(postgres, experiment)) == sorted(
        (unit, variant_of(experiment, unit), 1, True) for unit in units
    )


def _linked(api: httpx.Client, unit: str) -> None:
    api.post("/v1/users/links", json={"anonymous_id": unit, "user_id": f"p-{uuid4()}"}).raise_for_status()


@pytest.mark.parametrize(
    ("outcome", "columns", "fields", "before"),
    [
        ("needs_attributes", {"targeting": 'attributes.plan == "pro"'}, {}, None),
        ("outside", {"allocation": 0}, {}, None),
        ("not_running", {"status": "paused"}, {}, None),
        ("not_running", {}, {"timestamp": (datetime.now(UTC) - timedelta(days=9)).isoformat()}, None),
        ("other_unit_type", {}, {"unit_type": "device"}, None),
        ("linked", {}, {}, _linked),
    ],
    ids=["targeting", "outside", "paused", "before it ran", "another unit type", "anonymous id of a person"],
)
def test_one_that_can_not_be_assigned_is_kept_and_counted(
    api: httpx.Client,
    postgres: Server,
    outcome: str,
    columns: Json,
    fields: Json,
    before: Callable[[httpx.Client, str], None] | None,
) -> None:
    experiment, unit = write(postgres, **columns), f"u-{uuid4()}"
    if before is not None:
        before(api, unit)

    send(api, exposure(experiment, unit, **fields))

    assert stored(postgres, experiment) == []
    assert query(postgres, "SELECT event_type FROM events WHERE user_id = %s", unit) == [("exposure",)]
    assert counted(api, NAME, experiment=experiment.key, outcome=outcome) == 1


def test_one_that_names_another_variant_than_the_unit_gets_is_counted(
    api: httpx.Client, postgres: Server
) -> None:
    experiment, wrong, right = write(postgres), f"u-{uuid4()}", f"u-{uuid4()}"
    other = "ab".replace(variant_of(experiment, wrong), "")
    send(
        api,
        exposure(experiment, wrong, variant_key=other),
        exposure(experiment, right, variant_key=variant_of(experiment, right)),
    )
    assert [unit for unit, *_ in stored(postgres, experiment)] == [right]
    assert counted(api, NAME, experiment=experiment.key, outcome="other_variant") == 1


def test_a_testers_is_counted(api: httpx.Client, postgres: Server) -> None:
    experiment, tester = write(postgres), f"u-{uuid4()}"
    experiment.force(tester, "b")
    wait_until(
        lambda: any(
            found["forced"]
            for found in api.get("/v1/configuration").json()["experiments"]
            if found["key"] == experiment.key
        ),
        "the tester is known",
    )
    send(api, exposure(experiment, tester))
    assert tester not in [unit for unit, *_ in stored(postgres, experiment)]
    assert counted(api, NAME, experiment=experiment.key, outcome="tester") == 1


def test_other_events_assign_nobody(api: httpx.Client, postgres: Server) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    send(api, exposure(experiment, unit, event_type="purchase"), {"event_type": "exposure", "user_id": unit})
    assert stored(postgres, experiment) == []
    assert counted(api, NAME, experiment=experiment.key) == 0


def test_a_carried_assignment_of_another_unit_type_is_not_taken(api: httpx.Client, postgres: Server) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    carried = {"variant_key": variant_of(experiment, unit), "configuration_version": 1}
    send(api, exposure(experiment, unit, unit_type="device", **carried))
    assert stored(postgres, experiment) == []
