"""A request says when its client sent it: its events' times are corrected, stored so, and repeated without harm."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from neonblue.client import AsyncClient, Client
from neonblue.contract.identifiers import uuid7
from neonblue.contract.instants import format_instant
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.experiments import write
from tests.integration.api.prometheus import counted
from tests.integration.api.test_durability import query

Json = dict[str, Any]
SECOND = timedelta(seconds=1)
NAME = "neonblue_event_clocks_total"


def behind(by: timedelta) -> datetime:
    return datetime.now(UTC) - by


def purchase(unit: str, at: datetime, **fields: Any) -> Json:
    identifier = uuid7(int(at.timestamp() * 1000))
    return {"id": identifier, "event_type": "purchase", "user_id": unit, "timestamp": at.isoformat()} | fields


def send(api: httpx.Client, event: Json, sent_at: datetime | None = None) -> httpx.Response:
    headers = {} if sent_at is None else {"Sent-At": sent_at.isoformat()}
    return api.post("/v1/events", json=event, headers=headers)


def stored(server: Server, event: Json) -> tuple[Any, ...]:
    (found,) = query(
        server,
        'SELECT "timestamp", clock_offset, sent_at, received_at FROM events WHERE id = %s',
        event["id"],
    )
    return found


def test_a_conversion_stamped_before_the_servers_exposure_is_stored_after_it(
    api: httpx.Client, postgres: Server
) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    before = counted(api, NAME, outcome="corrected")
    wrong = behind(2 * SECOND)
    assert api.post("/v1/assignments", json={"user_id": unit, "experiment": experiment.key}).is_success
    event = purchase(unit, wrong)
    send(api, event, wrong).raise_for_status()

    ((exposed_at,),) = query(postgres, "SELECT exposed_at FROM assignments WHERE user_id = %s", unit)
    timestamp, offset, sent_at, received_at = stored(postgres, event)
    assert wrong < exposed_at < timestamp <= received_at
    assert timestamp - wrong == timedelta(microseconds=offset)
    assert sent_at == wrong
    ((told,),) = query(postgres, "SELECT payload FROM outbox_events WHERE aggregate_id = %s", event["id"])
    assert (told["timestamp"], told["clock_offset"]) == (format_instant(timestamp), offset)
    assert counted(api, NAME, outcome="corrected") == before + 1


def test_the_same_event_sent_again_is_a_duplicate_however_the_clock_went_meanwhile(
    api: httpx.Client, postgres: Server
) -> None:
    event = purchase(f"u-{uuid4()}", behind(40 * SECOND))
    first = send(api, event, behind(30 * SECOND))
    answers = [send(api, event, behind(by)) for by in (29 * SECOND, timedelta(0), -timedelta(hours=2))]
    answers.append(send(api, event))
    kept = stored(postgres, event)

    assert first.json()["accepted"] == 1
    assert [answer.json()["duplicates"] for answer in answers] == [1] * 4
    assert stored(postgres, event) == kept
    other = send(api, event | {"timestamp": behind(39 * SECOND).isoformat()}, behind(30 * SECOND))
    assert other.json()["items"][0]["code"] == "id_reused"


@pytest.mark.parametrize("lines", [False, True])
def test_a_request_repeated_with_its_key_is_answered_as_the_first_though_the_clock_was_set(
    lines: bool, api: httpx.Client, postgres: Server
) -> None:
    unit, ahead = f"u-{uuid4()}", timedelta(hours=3)
    events = [
        purchase(unit, behind(-ahead)),
        {"event_type": "purchase", "user_id": unit, "timestamp": behind(-ahead).isoformat()},
        {"event_type": "purchase", "user_id": unit, "timestamp": behind(timedelta(0)).isoformat()},
        {"user_id": unit},
    ]
    body = "\n".join(map(json.dumps, events)) if lines else json.dumps(events)
    kind = "application/x-ndjson" if lines else "application/json"
    key = {"Idempotency-Key": str(uuid4()), "Content-Type": kind}

    def answer(clock: datetime | None, text: str = body) -> httpx.Response:
        said = {} if clock is None else {"Sent-At": clock.isoformat()}
        return api.post("/v1/events", content=text, headers=key | said)

    first = answer(behind(-ahead))
    assert (first.json()["accepted"], first.json()["rejected"]) == (3, 1)
    for clock in (behind(timedelta(0)), behind(ahead), None):
        again = answer(clock)
        assert (again.status_code, again.json()) == (200, first.json())
    assert query(postgres, "SELECT count(*) FROM events WHERE user_id = %s", unit) == [(3,)]
    other = answer(behind(timedelta(0)), json.dumps(events[0]))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_request_of_which_nothing_was_stored_leaves_its_key_free(api: httpx.Client) -> None:
    event, key = purchase(f"u-{uuid4()}", behind(-timedelta(hours=3))), {"Idempotency-Key": str(uuid4())}
    refused = api.post("/v1/events", json=event, headers=key)
    assert (refused.status_code, refused.json()["items"][0]["code"]) == (422, "in_future")
    said = {"Sent-At": behind(-timedelta(hours=3)).isoformat()}
    assert api.post("/v1/events", json=event, headers=key | said).json()["accepted"] == 1


def test_a_clock_of_another_day_corrects_nothing_and_is_counted(api: httpx.Client, postgres: Server) -> None:
    before = counted(api, NAME, outcome="too_far")
    said = behind(timedelta(hours=1))
    event = purchase(f"u-{uuid4()}", said)
    send(api, event, behind(timedelta(days=400))).raise_for_status()
    assert stored(postgres, event)[:2] == (said, 0)
    assert counted(api, NAME, outcome="too_far") == before + 1


def test_waiting_for_an_api_that_does_not_read_is_no_wrong_clock(api: httpx.Client, postgres: Server) -> None:
    """As a process does that is stopped, or started anew: what comes meanwhile is with the kernel."""
    (pid,) = {
        one.pid
        for one in psutil.net_connections("tcp4")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == api.base_url.port
    }
    event = purchase(f"u-{uuid4()}", behind(timedelta(0)))
    resume = threading.Timer(2.5, os.kill, (pid, signal.SIGCONT))
    os.kill(pid, signal.SIGSTOP)
    resume.start()

    send(api, event, behind(timedelta(0))).raise_for_status()

    _, offset, sent_at, received_at = stored(postgres, event)
    assert received_at - sent_at > 2 * SECOND
    assert offset == 0


def test_a_time_of_sending_that_is_none_is_refused_by_its_name(api: httpx.Client) -> None:
    event = purchase("u", behind(SECOND))
    for given in ("yesterday", "1e9", "2026-03-01T09:30:00"):
        answer = api.post("/v1/events", json=event, headers={"Sent-At": given})
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
            400,
            "invalid_timestamp",
            "sent-at",
        )


def test_both_clients_say_when_they_send(api: httpx.Client, postgres: Server) -> None:
    address = str(api.base_url)
    one, two = f"u-{uuid4()}", f"u-{uuid4()}"
    with Client(address, TOKEN) as client:
        client.track("purchase", one)

    async def track() -> None:
        async with AsyncClient(address, TOKEN) as client:
            await client.track("purchase", two)

    asyncio.run(track())
    found = query(
        postgres, "SELECT received_at - sent_at, clock_offset FROM events WHERE user_id = ANY(%s)", [one, two]
    )
    assert len(found) == 2
    for distance, offset in found:
        assert timedelta(0) < distance < timedelta(seconds=60)
        assert offset == 0 or distance > SECOND
