"""A whole stack with Prometheus, Alertmanager and the exporters beside it: what is seen, told, and left unsaid."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from pydantic import SecretStr

from neonblue.settings import Settings
from neonblue.stack import Stack, probe, record
from neonblue.stack.names import MONITORING
from neonblue.stack.process import members
from neonblue.stack.services import monitoring
from neonblue.stack.services.api import Api
from neonblue.stack.services.connect import credentials
from neonblue.stack.services.connector import Connector
from tests.integration.stack.conftest import until
from tests.integration.stack.loading import receiver
from tests.integration.stack.test_secrets import secrets
from tests.unit.monitoring.rules import metrics, rules

pytestmark = [
    pytest.mark.skipif(
        bool(monitoring.missing()),
        reason="not installed: apt-get install " + " ".join(one.package for one in monitoring.missing()),
    ),
    pytest.mark.timeout(900),
]
JOBS = {"api", "exporter", "postgres", "valkey", "alertmanager", "prometheus"}
MINUTE = 60.0
Told = tuple[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    with receiver() as opened:
        yield opened


@pytest.fixture(scope="module")
def stack(module_settings: Settings, told: Told) -> Iterator[Stack]:
    alert = module_settings.alert.model_copy(update={"urls": (SecretStr(told[0]),)})
    with Stack(module_settings.model_copy(update={"alert": alert}), watched=True) as running:
        running.wait_ready(timeout=500)
        yield running


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """All is well before each test."""
    stack.wait_ready(timeout=300)
    return stack.settings


def asked(settings: Settings, path: str, **parameters: str) -> Any:
    address = f"http://127.0.0.1:{settings.monitoring.prometheus_port}/api/v1/{path}"
    answer = httpx.get(address, params=parameters, auth=settings.monitoring.credentials, trust_env=False)
    return answer.raise_for_status().json()["data"]


def values(settings: Settings, expression: str, label: str) -> dict[str, float]:
    found = asked(settings, "query", query=expression)["result"]
    return {one["metric"].get(label, ""): float(one["value"][1]) for one in found}


def addresses(settings: Settings) -> dict[str, str]:
    ports = settings.monitoring
    own = {
        "exporter": ports.exporter_port,
        "postgres": ports.postgres_exporter_port,
        "valkey": ports.valkey_exporter_port,
        "alertmanager": ports.alertmanager_port,
        "prometheus": ports.prometheus_port,
    }
    return {"api": settings.api.address} | {job: f"http://127.0.0.1:{port}" for job, port in own.items()}


def test_prometheus_sees_every_target(settings: Settings) -> None:
    until(lambda: values(settings, "up", "job") == dict.fromkeys(JOBS, 1.0), "every target is up", MINUTE)


def test_every_part_can_be_looked_at(settings: Settings) -> None:
    parts = {"stack", "connect", "kafka", "clickhouse", "dagster"}
    until(
        lambda: values(settings, "neonblue_look_success", "source") == dict.fromkeys(parts, 1.0),
        "the exporter sees every part",
        120,
    )


def test_every_rule_is_evaluated_and_names_what_there_is(settings: Settings) -> None:
    with httpx.Client(trust_env=False) as client:
        client.get(f"{settings.api.address}/healthz").raise_for_status()
    wanted = {name for rule in rules() for name in metrics(rule["expr"])}

    def missing() -> set[str]:
        return wanted - set(asked(settings, "label/__name__/values"))

    def unwell() -> list[str]:
        groups = asked(settings, "rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return [rule["name"] for rule in found if rule["health"] != "ok"] if found else ["none"]

    until(lambda: not unwell(), "every rule was evaluated", MINUTE)
    deadline = time.monotonic() + 120
    while (left := missing()) and time.monotonic() < deadline:
        time.sleep(2)
    assert left == set()


def test_a_canary_flies_through_within_seconds(settings: Settings) -> None:
    until(
        lambda: 0 <= values(settings, "time() - neonblue_canary_sent_timestamp_seconds", "").get("", -1) < 45,
        "a heartbeat has arrived in ClickHouse",
        MINUTE,
    )
    assert 0 <= values(settings, "neonblue_canary_seconds", "")[""] < 10


def test_no_number_of_a_well_stack_is_an_alarm(settings: Settings) -> None:
    """But for what this machine itself lacks."""
    time.sleep(15)
    firing = {
        one["labels"]["alertname"] for one in asked(settings, "alerts")["alerts"] if one["state"] == "firing"
    }

    assert firing - {"DiskLow", "DiskFull", "DiskFillsUp"} == set()


def test_what_is_told_holds_no_person_and_no_secret(settings: Settings) -> None:
    person, session = f"person-{uuid.uuid4()}", f"session-{uuid.uuid4()}"
    token = settings.api.token.get_secret_value()
    event = {
        "id": str(uuid.uuid4()),
        "user_id": person,
        "event_type": "click",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "session_id": session,
        "properties": {"mail": f"{person}@example.com"},
    }
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=settings.api.address, headers=headers, trust_env=False) as client:
        client.post("/v1/events", json=event).raise_for_status()
        client.get(f"/v1/users/{person}")
        client.post("/v1/assignments", json={"user_id": person, "experiment_key": person})
        client.get(f"/no/such/{person}")

    enters = dict.fromkeys(("alertmanager", "prometheus"), settings.monitoring.credentials)
    texts = {
        job: httpx.get(f"{address}/metrics", auth=enters.get(job), trust_env=False).raise_for_status().text
        for job, address in addresses(settings).items()
    }

    unsaid = {"person": person, "session": session} | secrets(settings)
    assert [(job, name) for job, text in texts.items() for name, word in unsaid.items() if word in text] == []
    assert not re.search(r"postgres(ql)?://[^/\s\"]*:[^/\s\"]*@", "".join(texts.values()))


def test_those_who_watch_hold_no_other_secret_than_their_own(settings: Settings) -> None:
    generated, held = secrets(settings), dict[str, set[str]]()
    for status in record.read(settings.data_dir):
        if status.identity is not None and status.name in MONITORING:
            for process in members(status.identity):
                text = "\n".join([*_environment(process), *process.cmdline()])
                has = {name for name, secret in generated.items() if secret in text}
                held.setdefault(status.name, set()).update(has)

    assert held == {
        "exporter": {
            "clickhouse_readonly_password",
            "connect_password",
            "kafka_monitoring_password",
            "dagster_token",
            "monitoring_token",
        },
        "postgres-exporter": {"postgres_monitoring_password"},
        "valkey-exporter": {"valkey_password"},
        "alertmanager": set(),
        "prometheus": set(),
    }


def _environment(process: psutil.Process) -> list[str]:
    return list(process.environ().values())


def test_nobody_but_alertmanager_sends_alerts_to_people(settings: Settings, told: Told) -> None:
    before = len(told[1])
    address = f"http://127.0.0.1:{settings.monitoring.exporter_port}/alerts"
    body = {"status": "firing", "alerts": [], "commonLabels": {"alertname": "Forged"}}

    assert httpx.post(address, json=body, trust_env=False).status_code == 401
    assert len(told[1]) == before


@pytest.mark.parametrize("job", ["alertmanager", "prometheus"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/-/ready", "/api/v1/alerts", "/api/v2/silences"])
def test_who_has_no_password_enters_no_page(settings: Settings, job: str, path: str) -> None:
    address = f"{addresses(settings)[job]}{path}"

    for auth in (None, ("neonblue", "wrong"), ("neonblue", "")):
        assert httpx.get(address, auth=auth, trust_env=False).status_code == 401
    assert httpx.post(address, json={}, trust_env=False).status_code == 401


def test_what_listens_listens_on_the_loopback_alone(settings: Settings) -> None:
    ports = {int(address.rpartition(":")[2]) for address in addresses(settings).values()}
    open_to = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
    }

    assert open_to == {"127.0.0.1"}


def test_an_api_that_is_gone_is_told_within_a_minute_and_when_it_is_back(
    stack: Stack, settings: Settings, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Api) -> None:
        raise OSError("no such program")

    with monkeypatch.context() as broken:
        broken.setattr(Api, "command", none)
        stack.kill("api")
        until(lambda: _messages(told, "NeonBlue: ApiDown"), "that the API is down is told", MINUTE)
    message = _messages(told, "NeonBlue: ApiDown")[0]
    assert "No events are taken" in message["message"]
    assert "docs/runbooks/api.md#apidown" in message["message"]

    stack.wait_ready(timeout=180)
    until(lambda: _messages(told, "NeonBlue: ApiDown is over"), "that it is over is told", 150)


def test_a_connector_that_is_paused_is_told_within_a_minute(
    settings: Settings, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = f"{settings.connect.address}/connectors/{settings.connect.connector}"
    with monkeypatch.context() as idle:
        idle.setattr(Connector, "mend", lambda _: None)
        probe.put(f"{connector}/pause", None, **credentials(settings.connect))
        until(
            lambda: _messages(told, "NeonBlue: ConnectorNotRunning"),
            "that the connector does not run is told",
            MINUTE,
        )


def _messages(told: Told, title: str) -> list[dict[str, str]]:
    return [message for message in told[1] if message["title"] == title]
