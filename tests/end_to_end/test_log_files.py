"""The logs of a whole stack that has served people: one form in each process of ours, nobody's data in any file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import BaseModel

from neonblue.clickhouse.client import connect
from neonblue.log_lines import read
from neonblue.settings import Settings
from neonblue.settings.faults import is_secret
from tests.end_to_end.conftest import CommandLine
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)

MARKER = "zzmarkedzz"
"""In everything that people send: ids, properties, attributes, sessions, keys, tokens, paths."""
OURS = ("api", "clickhouse", "supervisor", "dagster", "dagster-daemon", "dagster-code")
UNITS = 40
PRINTED = ("dagster-code",)
"""Where dbt's own words stand too, which it prints."""
COUNT = "SELECT count() FROM events_processed WHERE user_id LIKE {marker:String}"
EXPERIMENT = {
    "key": "log-files",
    "variants": [{"key": "control", "weight": 1, "is_control": True}, {"key": "treatment", "weight": 1}],
    "metrics": [{"key": "revenue", "type": "mean", "event_type": "purchase", "aggregation": "sum"}],
}


def event(user: str, **more: object) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    about = {
        "properties": {f"{MARKER}key": MARKER, "mail": f"{MARKER}@example.com"},
        "session_id": f"s{MARKER}",
    }
    return (
        {"id": str(uuid4()), "user_id": user, "event_type": "purchase", "timestamp": now, "value": 3}
        | about
        | more
    )


@pytest.fixture(scope="module")
def served(api: httpx.Client, settings: Settings, neonblue: CommandLine) -> dict[str, str]:
    """People were served, well and badly; ids of requests by what became of them."""
    users = [f"{MARKER}-{number}" for number in range(UNITS)]
    ids: dict[str, str] = {}

    def ask(name: str, status: int, method: str, path: str, **more: Any) -> httpx.Response:
        answer = api.request(method, path, **more)
        assert answer.status_code // 100 == status // 100, (name, answer.status_code, answer.text)
        ids[name] = answer.headers["x-request-id"]
        return answer

    ask("create", 201, "POST", "/v1/experiments", json=EXPERIMENT)
    ask("start", 200, "POST", "/v1/experiments/log-files/start")
    for user in users:
        attributes = {"attributes": {"mail": f"{user}@{MARKER}.example"}}
        ask("attributes", 201, "PUT", f"/v1/users/{user}", json=attributes)
        ask("assign", 200, "POST", "/v1/assignments", json={"experiment": "log-files", "user_id": user})
    first = event(users[0])
    ask("events", 200, "POST", "/v1/events", json=[*(event(user) for user in users), first])
    ask("repeated", 200, "POST", "/v1/events", json=[first, event(users[1])])
    ask("reused", 422, "POST", "/v1/events", json=[first | {"user_id": f"{MARKER}-other"}])
    ask("broken item", 422, "POST", "/v1/events", json=[event(users[0], value=MARKER)])
    ask("not JSON", 400, "POST", "/v1/events", content=f'{{"user_id": "{MARKER}"'.encode())
    ask("unknown", 404, "POST", "/v1/assignments", json={"experiment": f"no-{MARKER}", "user_id": users[0]})
    ask("odd path", 404, "GET", f"/v1/no/{MARKER}?token={MARKER}")
    ask("odd id", 404, "GET", f"/v1/experiments/{MARKER}")
    token = {"authorization": f"Bearer nb_{MARKER}{MARKER}"}
    ask("stranger", 401, "GET", "/v1/experiments", headers=token)
    ask("hot stranger", 401, "POST", "/v1/events", json=[event(users[0])], headers=token)
    ask("own id", 404, "GET", "/v1/experiments/none", headers={"x-request-id": "chosen.by-the_caller"})
    with connect(settings.clickhouse) as client:

        def arrived() -> bool:
            return bool(client.query(COUNT, {"marker": f"{MARKER}%"}).result_rows[0][0] >= UNITS + 2)

        until(arrived, "the events are in ClickHouse")
        with pytest.raises(Exception, match=MARKER):
            client.query("SELECT toUInt8({text:String})", {"text": MARKER})
    neonblue.run("build")
    ask("erase", 202, "DELETE", f"/v1/users/{users[2]}")
    return ids


def files(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "logs").iterdir())


def secrets(settings: Settings) -> dict[str, str]:
    found = {}
    for component in type(settings).model_fields:
        owner = getattr(settings, component)
        if isinstance(owner, BaseModel):
            for name, field in type(owner).model_fields.items():
                value = getattr(owner, name)
                if is_secret(field) and value and not isinstance(value, tuple) and value.get_secret_value():
                    found[f"{component}_{name}"] = value.get_secret_value()
    return found


def test_no_log_of_any_program_holds_anything_of_a_person(served: dict[str, str], settings: Settings) -> None:
    found = [
        f"{file.name}: {line[:300]}"
        for file in files(settings)
        for line in file.read_text(errors="replace").splitlines()
        if MARKER in line
    ]

    assert found == []


def test_no_log_of_any_program_holds_a_secret(served: dict[str, str], settings: Settings) -> None:
    kept = secrets(settings)
    assert len(kept) > 5

    found = [
        (file.name, name)
        for file in files(settings)
        for name, secret in kept.items()
        if secret in file.read_text(errors="replace")
    ]

    assert found == []


@pytest.mark.parametrize("service", OURS)
def test_every_line_of_our_processes_is_of_the_one_form(
    served: dict[str, str], settings: Settings, service: str
) -> None:
    lines = (settings.data_dir / "logs" / f"{service}.log").read_text().splitlines()
    ours = [known for line in lines if (known := read(line)) is not None]

    assert {line.service for line in ours} <= {service}
    if service in PRINTED:
        assert any(line.event == "run_success" for line in ours)
    else:
        assert [line for line in lines if read(line) is None] == []
    if service != "clickhouse":  # which says nothing while all is well
        assert ours


def test_a_request_s_id_leads_from_its_answer_to_its_line(served: dict[str, str], settings: Settings) -> None:
    text = (settings.data_dir / "logs" / "api.log").read_text()
    lines = {line.fields.get("request_id"): line for part in text.splitlines() if (line := read(part))}

    assert served["own id"] == "chosen.by-the_caller"
    for name in ("reused", "broken item", "not JSON", "unknown", "odd path", "odd id", "stranger", "own id"):
        assert lines[served[name]].event == "request_refused", name
    assert served["events"] not in lines  # what went well has no line


def test_a_run_s_id_is_in_the_lines_of_its_steps(served: dict[str, str], settings: Settings) -> None:
    text = (settings.data_dir / "logs" / "dagster-code.log").read_text()
    steps = [line for part in text.splitlines() if (line := read(part)) and line.event.startswith("step_")]

    assert steps
    assert all(line.fields.get("run_id") and line.fields.get("step") for line in steps)


def test_the_logs_are_shown_to_people_and_to_programs(served: dict[str, str], neonblue: CommandLine) -> None:
    people = neonblue.run("logs", "api", "-n", "1000").stdout
    programs = neonblue.run("logs", "--json", "-n", "200").stdout.splitlines()

    assert f"request_id={served['unknown']}" in people
    assert {"kafka", "postgres", "api"} <= {json.loads(line)["service"] for line in programs}
