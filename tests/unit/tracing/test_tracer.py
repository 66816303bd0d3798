"""Spans, and a collector that is there, away, slow or refuses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from neonblue.log_lines import TRACE_ID
from neonblue.settings import TracesSettings
from neonblue.tracing import CURRENT, Parent, traceparent
from neonblue.tracing.counts import Counts
from neonblue.tracing.sending import Sender, otlp
from neonblue.tracing.tracer import Tracing, trace_id, tracing_of
from tests.tracing import Collector, collecting

MANY = 20_000


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def tracing_to(address: str, most: int = 4096, ratio: float = 1.0) -> tuple[Tracing, Counts]:
    counts = Counts()
    return Tracing("tests", Sender(otlp(address), most, counts), ratio), counts


def test_spans_reach_a_collector_with_parents_links_and_attributes(collector: Collector) -> None:
    tracing, counts = tracing_to(collector.endpoint + "/v1/traces")
    caller = Parent(7, 9)
    first = tracing.begin("first", parent=caller, attributes={"n": 3})
    other = tracing.begin("other", start=1_700_000_000.5)
    with tracing.current(tracing.begin("work", parent=first, links=[other, caller])) as work:
        assert CURRENT.get() is work
        assert TRACE_ID.get() == f"{7:032x}" == trace_id(work)
        assert traceparent(work) == f"00-{7:032x}-{work.get_span_context().span_id:016x}-01"
    first.end()
    other.end(1_700_000_001 * 10**9)
    tracing.stop()

    seen = {span.name: span for span in collector.spans}
    assert (CURRENT.get(), TRACE_ID.get()) == (None, None)
    assert counts == Counts(sent=3)
    assert (seen["first"].trace_id, seen["first"].parent) == (f"{7:032x}", f"{9:016x}")
    assert seen["first"].attributes == {"n": "3"}
    assert (seen["work"].trace_id, seen["work"].parent) == (f"{7:032x}", seen["first"].span_id)
    assert seen["work"].links == (seen["other"].span_id, f"{9:016x}")
    assert (seen["other"].parent, seen["other"].start, seen["other"].end) == (
        "",
        1_700_000_000.5,
        1_700_000_001,
    )
    assert {span.service for span in collector.spans} == {"tests"}


def test_an_error_is_told_by_its_kind_alone(collector: Collector) -> None:
    tracing, _ = tracing_to(collector.endpoint + "/v1/traces")

    with pytest.raises(ValueError, match="ann"), tracing.current(tracing.begin("work")):
        raise ValueError("ann is no number")
    tracing.stop()

    (span,) = collector.spans
    assert span.failed
    assert span.attributes == {"error.type": "ValueError"}


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_the_part_that_is_wanted_is_traced_and_by_its_caller_s_trace_always_the_same(ratio: float) -> None:
    tracing, _ = tracing_to("http://127.0.0.1:9/v1/traces", ratio=ratio)

    share = sum(tracing.samples() for _ in range(MANY)) / MANY
    callers = [Parent(number << 61, 1) for number in range(MANY)]
    first = [tracing.samples(one) for one in callers]

    assert abs(share - ratio) <= 0.02
    assert abs(sum(first) / MANY - ratio) <= 0.02
    assert [tracing.samples(one) for one in callers] == first
    tracing.stop()


def test_a_collector_that_takes_its_time_holds_nobody_up_and_what_is_too_much_is_counted() -> None:
    going_on = threading.Event()

    def slow(_: object) -> bool:
        return going_on.wait(20)

    counts = Counts()
    sender = Sender(slow, 1_000, counts)
    tracing = Tracing("tests", sender, 1.0)
    began = time.monotonic()
    for _ in range(MANY):
        tracing.begin("work").end()
    took = time.monotonic() - began

    assert took < 15  # it would be 20 for the first batch alone
    assert counts.sent == 0
    held = MANY - counts.dropped
    assert 1_000 <= held <= 1_000 + 512 + 1
    going_on.set()
    assert sender.force_flush(10_000)
    tracing.stop()
    assert counts.sent + counts.dropped == MANY


def test_a_collector_that_is_away_or_refuses_costs_its_spans_alone(collector: Collector) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        away, lost = tracing_to(f"http://127.0.0.1:{held.getsockname()[1]}/v1/traces")
        away.begin("work").end()
        away.stop()
    collector.status = 400
    refusing, refused = tracing_to(collector.endpoint + "/v1/traces")
    refusing.begin("work").end()
    refusing.stop()

    def lost_one() -> bool:
        return (lost.dropped, refused.dropped) == (1, 1)

    collector.wait_for(lost_one, 10)
    assert collector.posts == 1


def test_an_export_that_raises_ends_nothing() -> None:
    calls: list[int] = []

    def raising(spans: list[ReadableSpan]) -> bool:
        calls.append(len(spans))
        raise RuntimeError("broken")

    counts = Counts()
    sender = Sender(raising, 100, counts)  # type: ignore[arg-type]
    tracing = Tracing("tests", sender, 1.0)
    for expected in (1, 2):
        tracing.begin("work").end()
        assert sender.force_flush(10_000)
        deadline = time.monotonic() + 10
        while counts.dropped < expected and time.monotonic() < deadline:
            time.sleep(0.01)
    tracing.stop()

    assert counts == Counts(dropped=2)
    assert calls == [1, 1]


def test_off_there_is_nothing_and_nothing_is_loaded() -> None:
    assert tracing_of(TracesSettings(), "api") is None

    modules = "sys, api.app, api.server, orchestration.run_executor"
    program = f"import {modules}; print('opentelemetry.exporter' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        (None, None),
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_the_address_is_where_a_collector_listens(endpoint: str | None, address: str | None) -> None:
    assert TracesSettings(endpoint=endpoint).address == address


def test_no_caller_chooses_to_be_traced() -> None:
    tracing, _ = tracing_to("http://127.0.0.1:9/v1/traces", ratio=0.01)
    chosen = [Parent(number << 64, 1) for number in range(1, 20_001)]

    assert 100 < sum(tracing.samples(parent) for parent in chosen) < 320


def test_variables_of_others_send_spans_nowhere_else(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        tracing, counts = tracing_to(collector.endpoint + "/v1/traces")
        tracing.begin("one").end()
        tracing.stop()

    assert counts == Counts(sent=1)


@pytest.mark.parametrize("query", ["?key=s", "/v1/traces?key=s", "/v1/traces#s"])
def test_an_address_with_a_query_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="without a query"):
        TracesSettings(endpoint=f"https://collector.example.com{query}")


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="without user and password"):
        TracesSettings(endpoint="http://me:secret@c:4318")
