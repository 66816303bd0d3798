"""A few services with Prometheus, Alertmanager and the exporters beside them: what is told to whom, what is not."""

from __future__ import annotations

import re
import time
import uuid

import httpx
import psutil
import pytest

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.catalogue import MONITORING
from neonblue.stack.processes.process import members
from neonblue.stack.services.api import Api
from neonblue.stack.supervisor import record
from tests.integration.stack.test_secrets import secrets
from tests.integration.stack.watched.watching import (
    JOBS,
    MINUTE,
    NEEDED,
    Told,
    addresses,
    messages,
    unwell,
    values,
)
from tests.waiting import until

pytestmark = NEEDED
SERVICES = ("postgres", "valkey", "api")


def test_prometheus_sees_every_target(settings: Settings) -> None:
    until(lambda: values(settings, "up", "job") == dict.fromkeys(JOBS, 1.0), "every target is up", MINUTE)


def test_every_rule_is_evaluated(settings: Settings) -> None:
    until(lambda: not unwell(settings), "every rule was evaluated", MINUTE)


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
            "postgres_monitoring_password",
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
    running: tuple[Stack, Told], settings: Settings, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Api) -> None:
        raise OSError("no such program")

    with monkeypatch.context() as broken:
        broken.setattr(Api, "command", none)
        running[0].kill("api")
        until(lambda: messages(told, "NeonBlue: ApiDown"), "that the API is down is told", MINUTE)
    message = messages(told, "NeonBlue: ApiDown")[0]
    assert "No events are taken" in message["message"]
    assert "docs/runbooks/api.md#apidown" in message["message"]

    running[0].wait_ready(timeout=180)
    until(lambda: messages(told, "NeonBlue: ApiDown is over"), "that it is over is told", 150)
