"""Alerts reach each address by itself; one that hangs or refuses holds up nobody, and its secrets stay unsaid."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from neonblue.alerting import Alert, Severity, deliver, deliver_within, mailbox
from neonblue.alerting.mailbox import Mailbox
from tests.waiting import until

ALERT = Alert("stack/kafka", "NeonBlue: kafka", "kafka: unready")
OVER = Alert("stack/kafka", "NeonBlue: kafka is over", "It was: unready", Severity.SUCCESS)


class Receiver(BaseHTTPRequestHandler):
    received: list[str]
    refusals: int
    refuses: str

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = type(self).refusals > 0 or body["title"] == self.refuses
        type(self).refusals = max(0, type(self).refusals - 1)
        if not refused:
            self.received.append(body["title"])
        self.send_response(500 if refused else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def handler() -> Iterator[tuple[type[Receiver], SecretStr]]:
    made = type("Handler", (Receiver,), {"received": [], "refusals": 0, "refuses": ""})
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made, SecretStr(f"json://user:secret@127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hanging() -> Iterator[SecretStr]:
    """Takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield SecretStr(f"json://user:secret@127.0.0.1:{listener.getsockname()[1]}/?rto=3600")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each delivery in this process, which others of this module give a process of its own."""
    monkeypatch.setattr(mailbox, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(mailbox, "deliver_within", lambda urls, alert, seconds: deliver(urls, alert))


def test_an_alert_and_its_end_arrive_in_order(
    handler: tuple[type[Receiver], SecretStr], stopping: threading.Event
) -> None:
    box = Mailbox(handler[1], 1, stopping)
    box.start()
    box.put(ALERT)
    until(lambda: handler[0].received == [ALERT.title], "the alert arrives")
    box.put(OVER)
    until(lambda: handler[0].received == [ALERT.title, OVER.title], "its end arrives")


def test_an_address_that_refuses_is_tried_again(
    handler: tuple[type[Receiver], SecretStr], stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "_FIRST_DELAY", 0.1)
    handler[0].refusals = 2
    box = Mailbox(handler[1], 1, stopping)
    with capture_logs() as lines:
        box.start()
        box.put(ALERT)
        until(lambda: handler[0].received == [ALERT.title], "the alert arrives")
    assert [line["tries"] for line in lines] == [1, 2]
    assert "secret" not in json.dumps(lines)


def test_what_nobody_heard_of_does_not_end_either(
    handler: tuple[type[Receiver], SecretStr], stopping: threading.Event
) -> None:
    box = Mailbox(handler[1], 1, stopping)
    other = Alert("stack/valkey", "NeonBlue: valkey", "valkey: unready")
    for alert in (ALERT, OVER, other):
        box.put(alert)
    box.start()
    until(lambda: handler[0].received == [other.title], "the other arrives alone")


def test_an_address_that_hangs_is_given_up_in_time_without_a_word_of_its_secrets(hanging: SecretStr) -> None:
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"within 3 s$") as raised:
        deliver_within([hanging], ALERT, 3)
    assert time.monotonic() - began < 30
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_address_that_is_none_is_said_without_its_secrets() -> None:
    with pytest.raises(RuntimeError, match=r"^alert\.urls: an address is none that Apprise knows$"):
        deliver_within([SecretStr("nonsense://secret")], ALERT, 60)


def other(name: str) -> Alert:
    return Alert(f"stack/{name}", f"NeonBlue: {name}", f"{name}: unready")


@pytest.mark.usefixtures("at_once")
def test_one_that_is_refused_holds_up_no_other_and_drops_nothing_newer(
    handler: tuple[type[Receiver], SecretStr], stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "_FIRST_DELAY", 30.0)
    monkeypatch.setattr(mailbox, "_MOST", 2)
    handler[0].refuses = ALERT.title
    box = Mailbox(handler[1], 1, stopping)
    box.start()
    with capture_logs() as lines:
        box.put(ALERT)
        until(lambda: lines, "it is refused")
    began = time.monotonic()
    with box._changed:
        for name in ("valkey", "api"):
            box.put(other(name))
    until(lambda: handler[0].received == ["NeonBlue: valkey", "NeonBlue: api"], "the others arrive")
    assert time.monotonic() - began < 20


@pytest.mark.usefixtures("at_once")
def test_each_is_tried_as_often_as_it_was_refused_itself(
    handler: tuple[type[Receiver], SecretStr], stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "_FIRST_DELAY", 0.05)
    monkeypatch.setattr(mailbox, "_TRIES", 3)
    handler[0].refusals = 6
    box = Mailbox(handler[1], 1, stopping)
    for name in ("kafka", "valkey"):
        box.put(other(name))
    with capture_logs() as lines:
        box.start()
        until(lambda: len(lines) == 6, "both are given up")
    assert [(line["subject"], line["tries"]) for line in lines] == [
        (f"stack/{name}", tries) for tries in (1, 2, 3) for name in ("kafka", "valkey")
    ]
    box.put(ALERT)
    until(lambda: handler[0].received == [ALERT.title], "the next one arrives")
