"""How the cost of tracing is compared, where its spans go, and that the settings are put back."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from neonblue.bench.changed import changed
from neonblue.bench.collector import collector
from neonblue.bench.traces import MODES, OFF, Mode, Run, TracesReport, follows, order
from neonblue.settings import Settings
from neonblue.tracing.sending import otlp

ONE, ALL = MODES[1:]
BEFORE = "# mine\nNEONBLUE_API_TOKEN='a=b'\nNEONBLUE_TRACES_SAMPLE_RATIO='0.5'\n"


def run_of(mode: Mode, events: float, cpu: float = 1.0) -> Run:
    return Run(mode.name, 100, events, 1.0, 2.0, cpu, 0, 0, 0)


def test_each_mode_comes_first_second_and_last_as_often() -> None:
    rounds = [order(number) for number in range(6)]

    assert all(set(one) == set(MODES) for one in rounds)
    for place in range(3):
        assert set(Counter(one[place] for one in rounds).values()) == {2}


def test_a_machine_that_grows_slower_is_not_held_against_tracing() -> None:
    runs = [run_of(mode, speed * share) for speed in (100, 50, 10) for mode, share in ((OFF, 1), (ALL, 0.9))]
    report = TracesReport(1.0, 3, runs)

    assert report.median(100, ALL, "events_per_second") == 45
    assert report.ratio(100, ALL, "events_per_second") == pytest.approx(0.9)
    assert report.ratio(100, OFF, "events_per_second") == 1


@pytest.mark.parametrize(
    ("mode", "spans", "well"),
    [
        (OFF, 0, True),
        (OFF, 1, False),
        (ONE, 30, True),
        (ONE, 3_000, False),
        (ALL, 3_000, True),
        (ALL, 9, False),
    ],
)
def test_an_api_that_does_not_trace_as_it_is_told_is_not_measured(mode: Mode, spans: int, well: bool) -> None:
    assert follows(mode, 1_000, spans) is well


def test_the_collector_takes_what_the_api_sends_and_ends_with_the_benchmark() -> None:
    provider = TracerProvider()
    tracer = provider.get_tracer("test")
    spans = [tracer.start_span(f"span {number}" * 100) for number in range(200)]
    with collector() as address:
        send = otlp(f"{address}/v1/traces")
        for _ in range(3):
            assert send(spans)  # type: ignore[arg-type]
        with socket.create_connection((httpx.URL(address).host, httpx.URL(address).port or 0)) as pieces:
            for piece in (b"POST / HTTP/1.1\r\ncontent-le", b"ngth: 4\r\n\r\nab", b"cd"):
                pieces.sendall(piece)
            assert pieces.recv(100).startswith(b"HTTP/1.1 200")
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_the_settings_are_the_benchmarks_within_and_as_before_after_an_interruption(tmp_path: Path) -> None:
    file = tmp_path / "neonblue.env"
    file.write_text(BEFORE)

    def interrupted() -> None:
        with changed(tmp_path) as settings:
            settings.use(ALL.variables("http://127.0.0.1:4"))
            traces = Settings.load(tmp_path).traces
            assert (traces.endpoint, traces.sample_ratio) == ("http://127.0.0.1:4", 1.0)
            assert file.stat().st_mode & 0o777 == 0o600
            settings.use(OFF.variables("http://127.0.0.1:4"))
            assert Settings.load(tmp_path).traces.endpoint is None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == BEFORE


@pytest.mark.parametrize("modes_after", [0, 1, 2])
def test_what_somebody_else_has_written_meanwhile_stays(tmp_path: Path, modes_after: int) -> None:
    file = tmp_path / "neonblue.env"
    file.write_text(BEFORE)

    with changed(tmp_path) as settings:
        settings.use(ALL.variables("http://127.0.0.1:4"))
        file.write_text(file.read_text() + "NEONBLUE_API_PORT='9'\n")
        for mode in (OFF, ALL)[:modes_after]:
            settings.use(mode.variables("http://127.0.0.1:4"))

    traces = Settings.load(tmp_path)
    assert (traces.api.port, traces.traces.endpoint, traces.traces.sample_ratio) == (9, None, 0.5)
