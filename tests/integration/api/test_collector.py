"""The real OpenTelemetry collector takes what the API's process sends."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.fleet import running_process, wait_until

PROGRAM = shutil.which("otelcol")
_CONFIGURATION = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:{port}
exporters:
  debug:
    verbosity: detailed
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [debug]
"""
_SPAN = re.compile(
    r"Trace ID +: (\w+)\n +Parent ID +: (\w*)\n +ID +: (\w+)\n +Name +: ([^\n]+)\n", re.MULTILINE
)

pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason="there is no otelcol: put OpenTelemetry's collector there, or build it as otelcol.yaml beside this says",
)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (tmp_path / "collector.yaml").write_text(_CONFIGURATION.format(port=port))
    said = tmp_path / "collector.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAM), "--config", "collector.yaml"], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: "Everything is ready" in said.read_text(), said.read_text())
        yield port, said
    finally:
        process.terminate()
        process.wait(30)


def test_it_reads_the_spans_of_requests_and_transactions(
    postgres: Server, collector: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, said = collector
    monkeypatch.setenv("NEONBLUE_TRACES_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NEONBLUE_TRACES_SAMPLE_RATIO", "1")
    event = {
        "id": str(uuid4()),
        "user_id": "u",
        "event_type": "view",
        "timestamp": datetime.now(UTC).isoformat(),
    }

    with running_process(postgres, tmp_path) as (client, _):
        assert client.post("/v1/events", json=[event]).is_success
        wait_until(lambda: len(_spans(said)) >= 2, "the collector has told of both spans")

    spans = _spans(said)
    (request,) = (span for span in spans if span[3] == "POST /v1/events")
    (transaction,) = (span for span in spans if span[3] == "events transaction")
    assert transaction[:2] == (request[0], request[2])
    assert "neonblue.request_id: Str(" in said.read_text()


def _spans(said: Path) -> list[tuple[str, str, str, str]]:
    """Trace, parent, id and name of each."""
    return _SPAN.findall(said.read_text())
