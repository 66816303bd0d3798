"""What tracing costs: the same loads with no traces, one request in a hundred, and all of them, in turns."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

import httpx
import psutil

from neonblue.bench.changed import ChangedSettings, changed
from neonblue.bench.collector import collector
from neonblue.bench.ingest import IngestReport, Load, drain, drive
from neonblue.bench.storage import table_size
from neonblue.clickhouse.client import connect
from neonblue.settings import Settings
from neonblue.stack.supervisor import control
from neonblue.stack.supervisor.overview import ServiceView, take
from neonblue.stack.supervisor.restarts import How

BATCHES = (100, 1)
_API = "api"
_WARM_SECONDS = 3.0
_LEAVE_SECONDS = 90.0
_SPANS = re.compile(r"^neonblue_trace_spans_(sent|dropped)_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mode:
    """ratio: which part of the requests is traced; None: traces are off."""

    name: str
    ratio: float | None

    def variables(self, address: str) -> dict[str, str | None]:
        on = self.ratio is not None
        return {
            "NEONBLUE_TRACES_ENDPOINT": address if on else None,
            "NEONBLUE_TRACES_SAMPLE_RATIO": str(self.ratio) if on else None,
        }


OFF = Mode("off", None)
MODES = (OFF, Mode("1 %", 0.01), Mode("100 %", 1.0))


@dataclass(frozen=True, slots=True)
class Run:
    """One load in one mode. Latencies in milliseconds; cpu_seconds: of the API, for each 1,000 requests."""

    mode: str
    batch: int
    events_per_second: float
    latency_p50: float
    latency_p99: float
    cpu_seconds: float
    spans_sent: int
    spans_dropped: int
    failures: int


@dataclass(slots=True)
class TracesReport:
    """Every run, in the order in which they were made: `rounds` of each load in each mode, `seconds` long."""

    seconds: float
    rounds: int
    runs: list[Run] = field(default_factory=list)

    def of(self, batch: int, mode: Mode) -> list[Run]:
        return [run for run in self.runs if (run.batch, run.mode) == (batch, mode.name)]

    def median(self, batch: int, mode: Mode, name: str) -> float:
        """Over the rounds; NaN without a run."""
        values = [float(getattr(run, name)) for run in self.of(batch, mode)]
        return statistics.median(values) if values else float("nan")

    def ratio(self, batch: int, mode: Mode, name: str) -> float:
        """To the runs without traces, round by round: the median."""
        pairs = zip(self.of(batch, mode), self.of(batch, OFF), strict=False)
        values = [getattr(run, name) / base for run, off in pairs if (base := getattr(off, name))]
        return statistics.median(values) if values else float("nan")

    def as_json(self) -> dict[str, object]:
        ratios = {
            f"{batch}": {
                mode.name: {
                    name: self.ratio(batch, mode, name)
                    for name in ("events_per_second", "latency_p50", "latency_p99", "cpu_seconds")
                }
                for mode in MODES
            }
            for batch in BATCHES
        }
        return asdict(self) | {"ratios": ratios}


def order(round_number: int) -> Sequence[Mode]:
    """Each round begins with another mode: a machine that grows slower is not held against one of them."""
    at = round_number % len(MODES)
    return (*MODES[at:], *MODES[:at])


def measure(
    settings: Settings, rounds: int, seconds: float, connections: int, say: Callable[[str], object]
) -> TracesReport:
    """Restart the API in each mode and load it. At the end, and where it is interrupted, it is as it was before.

    Raises RuntimeError where the API does not follow, and what `control.ask` raises where no stack runs.
    """
    report = TracesReport(seconds, rounds)
    with collector() as address, _put_back(settings, say) as own:
        for number in range(rounds):
            for mode in order(number):
                own.use(mode.variables(address))
                _restart(settings)
                drive(settings, Load(100, 0.0, _WARM_SECONDS, connections), IngestReport(100, 0.0, None))
                for batch in BATCHES:
                    run = _run(settings, mode, Load(batch, 0.0, seconds, connections))
                    report.runs.append(run)
                    say(
                        f"round {number + 1}, traces {mode.name}, batches of {batch}: {run.events_per_second:,.0f}/s"
                    )
    return report


@contextmanager
def _put_back(settings: Settings, say: Callable[[str], object]) -> Iterator[ChangedSettings]:
    """The stack's settings, and an API that has them again at the end."""
    try:
        with changed(settings.data_dir) as own:
            yield own
    finally:
        with suppress(OSError):  # of a terminal that was closed
            say("putting the settings back")
        _restart(settings)


def _run(settings: Settings, mode: Mode, load: Load) -> Run:
    report = IngestReport(load.batch, load.duplicates, load.rate)
    with connect(settings.clickhouse) as clickhouse:
        rows, spans, cpu = table_size(clickhouse)[0], _spans(settings), _api(settings).cpu_seconds
        drive(settings, load, report)
        used = _api(settings).cpu_seconds - cpu
        drain(clickhouse, rows + report.accepted)
    after = _spans(settings)
    sent, dropped = (after.get(name, 0) - spans.get(name, 0) for name in ("sent", "dropped"))
    requests = report.requests_per_second * load.seconds
    if not follows(mode, requests, sent + dropped):
        raise RuntimeError(
            f"with traces {mode.name} the API has made {sent + dropped} spans for {requests:.0f} requests: has the "
            "environment of 'neonblue up' NEONBLUE_TRACES_…, which goes before neonblue.env?"
        )
    return Run(
        mode.name,
        load.batch,
        report.events_per_second,
        report.latency_p50,
        report.latency_p99,
        1000 * used / max(1.0, requests),
        sent,
        dropped,
        report.failures + report.rejected,
    )


def follows(mode: Mode, requests: float, spans: int) -> bool:
    """Whether the API traces as the mode says. A traced request has one span at least, most have three."""
    if mode.ratio is None:
        return spans == 0
    expected = mode.ratio * requests
    return expected / 2 - 10 < spans < 6 * expected + 30


def _restart(settings: Settings) -> None:
    """Until the process before has left: it shares the processors."""
    before = _api(settings).pid
    (outcome,) = list(control.ask(settings.data_dir, [_API]))
    if outcome.how is How.FAILED:
        raise RuntimeError(f"the API was not restarted: {outcome.detail}")
    deadline = time.monotonic() + _LEAVE_SECONDS
    while before is not None and psutil.pid_exists(before) and time.monotonic() < deadline:
        time.sleep(0.1)


def _api(settings: Settings) -> ServiceView:
    found = next((view for view in take(settings.data_dir).services if view.name == _API), None)
    if found is None:
        raise RuntimeError(f"no stack with an API runs in {settings.data_dir}")
    return found


def _spans(settings: Settings) -> dict[str, int]:
    """How many the API has sent and dropped since its start."""
    text = httpx.get(f"{settings.api.address}/metrics", trust_env=False).raise_for_status().text
    return {name: int(float(value)) for name, value in _SPANS.findall(text)}
