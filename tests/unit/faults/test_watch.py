"""What counts as told: who named it, and when."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from neonblue.faults.watch import AlertListener, Telling, _Tail, first

TOLD = [
    Telling(1.0, "log", "2026-11-30T01:00:00.000Z warning supervisor service_restarts node=kafka"),
    Telling(5.0, "status", "connector unready task FAILED"),
    Telling(9.0, "readyz", "replication_slot: missing"),
]


def test_the_first_that_names_it_in_its_time_counts() -> None:
    assert first(TOLD, ("connector",), 0.0, 60.0) == TOLD[1]
    assert first(TOLD, ("slot", "connector"), 6.0, 60.0) == TOLD[2]
    assert first(TOLD, ("kafka",), 2.0, 60.0) is None
    assert first(TOLD, ("slot",), 0.0, 8.0) is None
    assert first(TOLD, (), 0.0, 60.0) is None


def test_a_name_counts_as_a_word_alone() -> None:
    told = Telling(0.0, "log", "warning slot_lost error='connection refused' node=dagster-code")

    assert told.names(("slot",))
    assert told.names(("dagster-code",))
    assert not told.names(("connect",))
    assert not told.names(("dagster",))
    assert not told.names(("code",))


def test_only_whole_and_serious_lines_of_a_log_are_read_and_a_new_file_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    tail = _Tail(log)
    assert tail.lines() == []

    half, rest = line("error", "worse")[:30], line("error", "worse")[30:]
    log.write_text(line("info", "fine") + line("warning", "slot_lost") + "a trace of Python\n" + half)
    (told,) = tail.lines()
    assert Telling(0.0, "log", told).names(("slot_lost",))
    assert not Telling(0.0, "log", told).names(("worse",))
    with log.open("a") as file:
        file.write(rest)
    assert [one.split()[-1] for one in tail.lines()] == ["worse"]
    log.write_text(line("critical", "new"))
    assert [one.split()[-1] for one in tail.lines()] == ["new"]


def line(level: str, event: str) -> str:
    head = {
        "timestamp": "2026-11-30T01:00:00.000000Z",
        "level": level,
        "event": event,
        "service": "supervisor",
    }
    return json.dumps(head) + "\n"


def test_an_alert_is_taken() -> None:
    listener = AlertListener()
    try:
        address = listener.address.replace("json://", "http://")
        body = {"title": "the connector is gone", "message": "run neonblue …"}
        assert httpx.post(address, json=body, trust_env=False).status_code == 200
    finally:
        listener.stop()

    assert [one.way for one in listener.tellings] == ["alert"]
    assert listener.tellings[0].names(("connector",))
