"""The sensor of ramps, with the API and ClickHouse: a healthy step is taken once, a harmful one is put back."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from dagster import DagsterInstance, SkipReason, build_sensor_context

from neonblue.alerting import Alert
from neonblue.ramps.planner import NOT_JUDGED
from orchestration.alerts.delivery import Alerts
from orchestration.defs.ramps.sensors import ramps
from orchestration.resources import Api, ClickHouse
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.life_cycle import messages, rows, started
from tests.integration.orchestration.conftest import Analysis
from tests.integration.orchestration.live_models import build, refresh
from tests.integration.orchestration.scenario import START, assignment, event, launch, metric, text

UNITS = 400
STEPS = [{"allocation": 100, "hold": "P1D", "units": 2 * UNITS}, {"allocation": 10_000, "hold": "P1D"}]
ERRORS = {name: value for name, value in metric().items() if name != "version"}


@pytest.fixture(autouse=True)
def leads_to_the_api(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONBLUE_API_URL", str(api.base_url).rstrip("/"))
    monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)


def ramped(api: httpx.Client, postgres: Server, analysis: Analysis, **ramp: Any) -> dict[str, Any]:
    """An experiment whose first step has held for its time, as the API and ClickHouse have it."""
    arms = [{"key": "control", "is_control": True}, {"key": "treatment"}]
    made = started(api, variants=arms, metrics=[ERRORS], ramp={"steps": STEPS} | ramp)
    statement = "UPDATE experiment_ramps SET step_since = %s WHERE experiment_id = %s RETURNING position"
    assert rows(postgres, statement, START, made["id"])
    for message in messages(postgres, made["id"]):
        snapshot = msgspec.to_builtins(message)
        snapshot["ramp"]["step_since"] = text(START)
        analysis.send("experiment", snapshot | {"started_at": text(START)})
    return made


def send(analysis: Analysis, experiment_id: int, rates: dict[str, float]) -> None:
    """So many units of each arm, and events of later; beside them one never exposed, and one never assigned."""
    assignments, events = launch(rates, UNITS)
    late = event(random.Random(3), "stranger", "exposure", START + timedelta(hours=25))
    entered = {"experiment_id": experiment_id, "version": 2}
    given = [row | entered for row in (*assignments, assignment("unmet", "control"))]
    analysis.send("assignment_batch", given)
    analysis.send("event_batch", [row | {"experiment_id": experiment_id} for row in (*events, late)])
    build(analysis, START + timedelta(hours=48))
    refresh(analysis)


def tick(instance: DagsterInstance) -> str:
    context = build_sensor_context(
        instance=instance, resources={"clickhouse": ClickHouse(), "api": Api(), "alerts": Alerts()}
    )
    said = ramps(context)
    assert isinstance(said, SkipReason)
    return said.skip_message or ""


def test_a_step_whose_time_units_and_guardrails_hold_is_taken_once_by_two_sensors(
    api: httpx.Client, postgres: Server, analysis: Analysis
) -> None:
    made = ramped(api, postgres, analysis)
    key = made["key"]
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance) == f"{key}: wait, {NOT_JUDGED}"
        send(analysis, made["id"], {"control": 0.05, "treatment": 0.05})
        with ThreadPoolExecutor(2) as pool:
            said = sorted(pool.map(lambda _: tick(instance), range(2)))

    assert said == [
        f"{key}: advance, step 2 of 2, 100 %",
        f"{key}: wait, the ramp has moved on since this was seen",
    ]
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert [item["action"] for item in history] == ["ramp", "start", "create"]
    assert history[0]["reason"] == "step 2 of 2, 100 %: 800 units in, no guardrail is breached"
    assert api.get(f"/v1/experiments/{key}").json()["allocation"] == 10_000


def test_where_a_guardrail_is_breached_the_ramp_does_what_it_says_and_goes_no_further(
    api: httpx.Client, postgres: Server, analysis: Analysis
) -> None:
    made = ramped(api, postgres, analysis, on_breach="roll_back")
    key = made["key"]
    send(analysis, made["id"], {"control": 0.05, "treatment": 0.15})
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance).startswith(f"{key}: roll_back, Guardrail errors is breached in treatment")

    after = api.get(f"/v1/experiments/{key}").json()
    assert (after["status"], after["enrolment"], after["allocation"]) == ("paused", "closed", 100)
    undone = api.post(f"/v1/experiments/{key}/resume").raise_for_status().json()
    assert (undone["status"], undone["enrolment"]) == ("running", "open")


def test_what_the_api_did_without_an_answer_is_kept_and_told(
    api: httpx.Client, postgres: Server, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Alert] = []
    monkeypatch.setattr("orchestration.alerts.delivery.deliver", lambda _, alert: told.append(alert))
    post, lost = httpx.post, iter([True, True])

    def answers_late(*arguments: Any, **named: Any) -> httpx.Response:
        answer = post(*arguments, **named)
        if next(lost, False):
            raise httpx.ReadTimeout("the answer came too late")
        return answer

    made = ramped(api, postgres, analysis, on_breach="roll_back")
    key = made["key"]
    send(analysis, made["id"], {"control": 0.05, "treatment": 0.15})
    monkeypatch.setattr(httpx, "post", answers_late)
    with DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            with pytest.raises(RuntimeError, match=f"not looked at: {key}"):
                tick(instance)
        assert told == []
        analysis.send("experiment", msgspec.to_builtins(messages(postgres, made["id"])[-1]))
        for _ in range(2):
            assert tick(instance) == "no ramp's time has come"

    assert [alert.title for alert in told] == [f"Experiment rolled back by its ramp: {key}"]
    kept = analysis.client.query("SELECT experiment_key, action FROM guardrail_breaches").result_rows
    assert kept == [(key, "roll_back")]
    history = api.get(f"/v1/experiments/{key}/versions").json()["items"]
    assert [item["action"] for item in history] == ["roll_back", "start", "create"]


def test_what_is_not_due_is_not_looked_at(api: httpx.Client, postgres: Server, analysis: Analysis) -> None:
    made = ramped(api, postgres, analysis)
    api.post(f"/v1/experiments/{made['key']}/ramp/hold", json={"reason": "x"}).raise_for_status()
    analysis.send("experiment", msgspec.to_builtins(messages(postgres, made["id"])[-1]))
    with DagsterInstance.ephemeral() as instance:
        assert tick(instance) == "no ramp's time has come"
