"""What the exporter makes of answers, what it says while a part is away, and who may hand it alerts."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from neonblue.alerting import Alert, Severity
from neonblue.monitoring import clickhouse, connect, dagster, sources, stack
from neonblue.monitoring.__main__ import People
from neonblue.monitoring.alerts import Group, Told, message
from neonblue.monitoring.samples import Family, Sample
from neonblue.monitoring.server import Server
from neonblue.monitoring.sources import Watchers
from neonblue.stack.supervisor.overview import Overview, ServiceView
from tests.waiting import until

THING = Family("neonblue_thing", "A thing", ("kind",))
TOKEN = "of-alertmanager"
FIRING = {
    "status": "firing",
    "commonLabels": {"alertname": "ApiDown"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "No answer.", "runbook_url": "docs/runbooks/api.md#apidown"},
        }
    ],
}


class Part:
    """A source that does as it is told."""

    name = "part"

    def __init__(self, look: Callable[[], Sequence[Sample]], seconds: float = 600.0) -> None:
        self._look = look
        self.seconds = seconds

    def look(self) -> Sequence[Sample]:
        return self._look()


def values(samples: Sequence[Sample]) -> dict[tuple[str, ...], float]:
    return {(sample.family.name, *sample.labels): sample.value for sample in samples}


def text_of(watchers: Watchers) -> str:
    registry = CollectorRegistry()
    registry.register(watchers)
    return generate_latest(registry).decode()


def looked(part: Part) -> Watchers:
    watchers = Watchers([part])
    watchers._watchers[0].look()
    return watchers


def test_a_part_that_was_not_looked_at_yet_says_nothing() -> None:
    assert text_of(Watchers([Part(lambda: [THING(1, "a")])])) == ""


def test_what_is_found_is_told_with_its_labels() -> None:
    text = text_of(looked(Part(lambda: [THING(1.5, 'a"b'), THING(2, "c")])))

    assert 'neonblue_thing{kind="a\\"b"} 1.5' in text
    assert 'neonblue_thing{kind="c"} 2.0' in text
    assert text.count("# TYPE neonblue_thing gauge") == 1
    assert 'neonblue_look_success{source="part"} 1.0' in text


def test_a_part_that_is_away_is_told_so_and_nothing_old_passes_for_new() -> None:
    answers: list[list[Sample]] = [[THING(1, "a")]]
    watchers = looked(Part(lambda: answers.pop()))

    watchers._watchers[0].look()

    text = text_of(watchers)
    assert 'neonblue_look_success{source="part"} 0.0' in text
    assert "neonblue_thing" not in text


def test_a_part_that_hangs_holds_up_no_scrape_and_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    answers: list[list[Sample]] = [[THING(1, "a")]]

    def look() -> Sequence[Sample]:
        if answers:
            return answers.pop()
        hangs.wait(30)
        return []

    monkeypatch.setattr(sources, "_LATE_SECONDS", 0.2)
    watchers = Watchers([Part(look, seconds=0.05)])
    watchers.start()
    try:
        until(
            lambda: 'neonblue_look_success{source="part"} 0.0' in text_of(watchers), "the failed look is told"
        )
        assert "neonblue_thing" not in text_of(watchers)
    finally:
        hangs.set()
        watchers.end()


def test_a_family_wants_its_labels() -> None:
    with pytest.raises(ValueError, match="kind"):
        THING(1)


def _view(name: str, kind: str, state: str, pid: int | None = None, restarts: int = 0) -> ServiceView:
    return ServiceView(name, kind, state, pid, "", 100, 90, 1.5, restarts, None, "")


def test_services_and_steps_are_told_by_what_the_supervisor_says() -> None:
    overview = Overview(
        True,
        False,
        1,
        "",
        0,
        (_view("api", "service", "ready", 7, 2), _view("connector", "step", "unready")),
    )

    assert values(stack.samples(overview)) == {
        ("neonblue_service_ready", "api", "service"): 1,
        ("neonblue_service_restarts_total", "api"): 2,
        ("neonblue_service_memory_bytes", "api"): 100,
        ("neonblue_service_cpu_seconds_total", "api"): 1.5,
        ("neonblue_service_ready", "connector", "step"): 0,
    }


@pytest.mark.parametrize(
    ("status", "running"),
    [
        (connect.Status(connect.Part("RUNNING"), [connect.Part("RUNNING")]), 1),
        (connect.Status(connect.Part("RUNNING"), [connect.Part("RUNNING"), connect.Part("FAILED")]), 0),
        (connect.Status(connect.Part("PAUSED"), [connect.Part("PAUSED")]), 0),
        (connect.Status(connect.Part("RUNNING"), []), 0),
        (None, 0),
    ],
)
def test_a_connector_runs_where_it_and_all_its_tasks_do(status: connect.Status | None, running: int) -> None:
    found = values(connect.samples(status))

    assert found["neonblue_connector_running",] == running
    tasks = [] if status is None else [task.state for task in status.tasks]
    assert found["neonblue_connector_tasks", "FAILED"] == tasks.count("FAILED")


def test_what_clickhouse_has_not_counted_yet_is_nought() -> None:
    found = values(clickhouse.named(clickhouse.EVENTS, [clickhouse.Named("InsertedRows", 5)]))

    assert found["neonblue_clickhouse_inserted_rows_total",] == 5
    assert found["neonblue_clickhouse_inserts_total",] == 0


def test_what_never_was_has_no_time() -> None:
    assert clickhouse.canary([]) == []
    never = clickhouse.of_view(clickhouse.Refresh("totals", None, 0, 1))
    assert values(never) == {("neonblue_clickhouse_refresh_failing", "totals"): 1}


def test_a_canary_is_told_by_its_times() -> None:
    assert values(clickhouse.canary([clickhouse.Canary(100.0, 100.4)])) == {
        ("neonblue_canary_sent_timestamp_seconds",): 100,
        ("neonblue_canary_seconds",): pytest.approx(0.4),
    }


def _check(status: str | None, severity: str | None = "ERROR") -> dict[str, object]:
    if status is None:
        return {"executionForLatestMaterialization": None}
    evaluation = None if severity is None else {"severity": severity}
    return {"executionForLatestMaterialization": {"status": status, "evaluation": evaluation}}


def test_failed_checks_are_counted_by_severity() -> None:
    some = [_check("FAILED"), _check("FAILED", "WARN"), _check("SUCCEEDED"), _check(None)]
    nodes = [
        {"assetChecksOrError": {"checks": some}},
        {"assetChecksOrError": {"checks": [_check("EXECUTION_FAILED", None)]}},
        {"assetChecksOrError": {}},
    ]

    assert values(dagster.checks({"assetNodes": nodes})) == {
        ("neonblue_dagster_failed_checks", "error"): 2,
        ("neonblue_dagster_failed_checks", "warn"): 1,
    }


def test_the_questions_are_such_as_dagster_takes() -> None:
    from dagster_graphql.schema import create_schema
    from graphql import parse, validate

    schema = create_schema().graphql_schema

    for question in (dagster.OVERVIEW, dagster.successes(["hourly", 'a"b'])):
        assert validate(schema, parse(question)) == []


def test_a_message_has_the_worst_severity_each_sentence_once_and_the_page() -> None:
    alerts = [
        Told("firing", {"severity": "warning"}, {"summary": "One.", "runbook_url": "page#one"}),
        Told("firing", {"severity": "critical"}, {"summary": "Two.", "runbook_url": "page#one"}),
        Told("firing", {"severity": "warning"}, {"summary": "One.", "runbook_url": "page#one"}),
        Told("resolved", {"severity": "critical"}, {"summary": "Three."}),
    ]

    told = message(Group("firing", alerts, {"alertname": "Many"}))

    assert told == Alert("alert/Many", "NeonBlue: Many", "One.\nTwo.\npage#one", Severity.FAILURE)


def test_what_is_over_is_told_so() -> None:
    told = message(
        Group("resolved", [Told("resolved", {}, {"summary": "It was bad."})], {"alertname": "Bad"})
    )

    assert told == Alert("alert/Bad", "NeonBlue: Bad is over", "It was: It was bad.", Severity.SUCCESS)


def test_a_flood_of_alerts_is_one_message_of_bounded_length() -> None:
    alerts = [Told("firing", {}, {"summary": f"Trouble {number}."}) for number in range(1000)]

    assert message(Group("firing", alerts)).body.endswith("Trouble 9.\n… and 990 more")


@contextmanager
def serving(deliver: Callable[[Alert], None], token: str = TOKEN) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(looked(Part(lambda: [THING(1, "a")])))
    with Server(("127.0.0.1", 0), registry, token, deliver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def post(address: str, body: object = None, token: str | None = TOKEN) -> int:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.post(f"{address}/alerts", json=body or FIRING, headers=headers, trust_env=False).status_code


def test_metrics_are_served_and_nothing_else() -> None:
    with serving(lambda _: None) as address:
        assert "neonblue_thing" in httpx.get(f"{address}/metrics", trust_env=False).text
        assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
        for path in ("/", "/alerts", "/metrics/../etc/passwd"):
            assert httpx.get(f"{address}{path}", trust_env=False).status_code == 404


def test_an_alert_reaches_people_from_alertmanager_alone() -> None:
    told: list[Alert] = []
    with serving(told.append) as address:
        assert [post(address, token=token) for token in (None, "another", TOKEN)] == [401, 401, 200]
    with serving(told.append, token="") as address:
        assert post(address, token=None) == 401

    assert [alert.title for alert in told] == ["NeonBlue: ApiDown"]
    assert told[0].body == "No answer.\ndocs/runbooks/api.md#apidown"


def test_an_address_that_is_dead_keeps_alertmanager_from_no_other_and_has_it_send_nothing_twice() -> None:
    arrived: list[str] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ended = threading.Event()
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Taker) as alive,
        socket.create_server(("127.0.0.1", 0)) as dead,
    ):
        ports = (dead.getsockname()[1], alive.server_port)
        people = People([SecretStr(f"json://127.0.0.1:{port}/") for port in ports], ended)
        threading.Thread(target=alive.serve_forever, daemon=True).start()
        people.start()
        with serving(people.tell) as address:
            began = time.monotonic()
            assert post(address) == 200
            assert time.monotonic() - began < 5
        deadline = time.monotonic() + 60
        while not arrived and time.monotonic() < deadline:
            time.sleep(0.05)
        ended.set()
        alive.shutdown()
    assert arrived == ["NeonBlue: ApiDown"]


def test_what_is_no_alert_is_refused_for_good() -> None:
    with serving(lambda _: None) as address:
        assert post(address, body=["no group"]) == 400
        huge = httpx.post(
            f"{address}/alerts",
            content=b"x" * (1024**2 + 1),
            headers={"authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )
        assert huge.status_code == 413
