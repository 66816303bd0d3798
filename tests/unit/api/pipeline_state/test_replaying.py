"""A replay goes on by itself, one at a time, and its end is told whatever it is."""

from __future__ import annotations

import threading
import time
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from api.http.problems import Problem
from api.pipeline_state import replaying
from api.pipeline_state.replaying import Replay, Replayer
from neonblue.reconciliation import Reconciliation
from neonblue.reconciliation.compare import Bucket, Digest, Kind, compare
from neonblue.republication import Repaired, RepairUnderWay, StreamStandsStill
from neonblue.settings import Settings


def ended(replayer: Replayer) -> Replay:
    deadline = time.monotonic() + 10
    while replayer.last is None or replayer.last.ended is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)  # between two looks
    return replayer.last


def repaired(letters: dict[str, int]) -> Repaired:
    buckets = {Bucket(date(2026, 3, 1), 1): Digest(1, 1, Decimal(0))}
    rows = {kind: compare(buckets, buckets, lambda _: set(), lambda _: set()) for kind in Kind}
    return Repaired(Reconciliation(rows, letters), {Kind.EVENTS: 3})


def test_one_goes_on_at_a_time_and_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    may, said = threading.Event(), threading.Event()

    def repair(_: Settings, *, wait_seconds: float, progress: Any, actor: str) -> Repaired:
        assert (wait_seconds, actor) == (replaying.WAIT_SECONDS, "token:3:mira")
        progress(Kind.EVENTS, 2, 0)
        said.set()
        assert may.wait(10)
        return repaired({"value: no decimal": 2})

    monkeypatch.setattr(replaying, "repair", repair)
    replayer = Replayer(Settings())
    replayer.begin("token:3:mira")
    assert said.wait(10)
    assert replayer.last is not None
    assert (replayer.last.ended, replayer.last.published) == (None, {"events": 2})
    for refused in (lambda: replayer.begin("token:4:other"), replayer.check):
        with pytest.raises(Problem) as problem:
            refused()
        assert (problem.value.status, problem.value.code) == (409, "replay_under_way")
    may.set()
    last = ended(replayer)
    assert (last.by, last.published, last.unresolved, last.problem) == ("token:3:mira", {"events": 3}, 2, "")
    replayer.check()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RepairUnderWay("another repair has been under way"), "another repair has been under way"),
        (StreamStandsStill("the stream has read nothing"), "the stream has read nothing"),
        (psycopg.OperationalError("host=secret"), "PostgreSQL did not answer"),
        (OperationalError("http://secret"), "ClickHouse did not answer"),
        (RuntimeError("secret"), "it failed"),
    ],
)
def test_a_replay_that_fails_says_so_and_may_be_begun_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def repair(*_: Any, **__: Any) -> Repaired:
        raise error

    monkeypatch.setattr(replaying, "repair", repair)
    replayer = Replayer(Settings())
    for _ in range(2):
        replayer.begin("token:3:mira")
        last = ended(replayer)
        assert told in last.problem
        assert "secret" not in last.problem
