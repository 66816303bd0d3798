"""Alerts: once for each trouble, again when it bears repeating, at once when it comes back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dagster import DagsterInstance
from pydantic import SecretStr

from neonblue.alerting import Alert, Severity, deliver, is_due
from orchestration.alerts.delivery import Alerts
from orchestration.alerts.message import failed_check, failed_run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REPEAT = timedelta(hours=6)
ALERT = Alert("check/a/b", "Check failed: b of a", "Why.")


class Receiver(BaseHTTPRequestHandler):
    """Keeps the JSON that is posted."""

    received: list[dict[str, str]]
    status = 200

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Receiver]]:
    handler = type("Handler", (Receiver,), {"received": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NEONBLUE_ALERT_URLS", json.dumps([f"json://127.0.0.1:{server.server_port}/"]))
    yield handler
    server.shutdown()
    server.server_close()


def test_a_trouble_is_told_when_new_and_when_it_has_lasted() -> None:
    assert is_due(None, NOW, REPEAT)
    assert not is_due(NOW - timedelta(hours=5), NOW, REPEAT)
    assert is_due(NOW - timedelta(hours=6), NOW, REPEAT)


def test_a_webhook_gets_the_alert_once_while_the_trouble_lasts(receiver: type[Receiver]) -> None:
    with DagsterInstance.ephemeral() as instance:
        assert Alerts().tell(instance, ALERT)
        assert not Alerts().tell(instance, ALERT)

    (message,) = receiver.received
    assert message["title"] == ALERT.title
    assert message["message"] == ALERT.body
    assert message["type"] == "failure"


def test_a_trouble_that_was_over_is_told_at_once_when_it_comes_back(receiver: type[Receiver]) -> None:
    with DagsterInstance.ephemeral() as instance:
        Alerts().tell(instance, ALERT)
        Alerts().over(instance, ALERT.subject)
        assert Alerts().tell(instance, ALERT)

    assert len(receiver.received) == 2


def test_an_alert_that_was_not_taken_counts_as_not_told(receiver: type[Receiver]) -> None:
    with DagsterInstance.ephemeral() as instance:
        receiver.status = 500
        with pytest.raises(RuntimeError, match=r"alert\.urls"):
            Alerts().tell(instance, ALERT)
        receiver.status = 200
        assert Alerts().tell(instance, ALERT)


def test_what_bears_no_repeating_is_told_once_for_all(
    receiver: type[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_ALERT_REPEAT_MINUTES", "1")
    with DagsterInstance.ephemeral() as instance:
        assert Alerts().tell(instance, ALERT, once=True)
        long_ago = (datetime.now(UTC) - timedelta(days=400)).isoformat()
        memory = instance.daemon_cursor_storage.get_cursor_values({f"neonblue/alert/{ALERT.subject}"})
        instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(memory, long_ago))
        assert not Alerts().tell(instance, ALERT, once=True)
        assert Alerts().tell(instance, ALERT)

    assert len(receiver.received) == 2


def test_what_is_owed_is_told_in_its_order_and_once_when_the_address_takes_it(
    receiver: type[Receiver],
) -> None:
    first, second = ALERT, Alert("breach/checkout/7", "Paused: checkout", "Undo: resume.")
    with DagsterInstance.ephemeral() as instance:
        Alerts().owe(instance, "guardrails", first)
        receiver.status = 500
        with pytest.raises(RuntimeError, match=r"alert\.urls"):
            Alerts().tell_owed(instance, "guardrails")
        Alerts().owe(instance, "guardrails", second)
        receiver.received.clear()
        receiver.status = 200
        Alerts().tell_owed(instance, "ramps")
        assert receiver.received == []
        Alerts().tell_owed(instance, "guardrails")
        Alerts().tell_owed(instance, "guardrails")

    assert [message["title"] for message in receiver.received] == [first.title, second.title]


def test_of_what_is_owed_the_last_hundred_are_kept(receiver: type[Receiver]) -> None:
    with DagsterInstance.ephemeral() as instance:
        for number in range(130):
            Alerts().owe(instance, "ramps", Alert(f"s/{number}", f"t {number}", "Why."))
        Alerts().tell_owed(instance, "ramps")

    assert [message["title"] for message in receiver.received] == [f"t {number}" for number in range(30, 130)]


def test_an_address_that_is_none_is_named_without_its_secrets() -> None:
    with pytest.raises(RuntimeError, match=r"alert\.urls: an address is none") as raised:
        deliver([SecretStr("nonsense://secret")], ALERT)

    assert "secret" not in str(raised.value)


def test_without_addresses_nobody_is_told_and_nothing_fails() -> None:
    deliver([], ALERT)


def test_a_check_and_a_job_are_named() -> None:
    check = failed_check("daily_metrics", "yesterday_is_there", "", blocking=False, page="http://page")

    assert check.subject == "check/daily_metrics/yesterday_is_there"
    assert check.severity is Severity.WARNING
    assert check.body == "No description.\nhttp://page"
    assert failed_run("everything", "Why", "http://page").subject == "run/everything"
