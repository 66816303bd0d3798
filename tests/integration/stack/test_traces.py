"""One event on its whole way as a trace, and the run that counts it, on one whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from neonblue.settings import Settings, TracesSettings
from neonblue.stack import Stack
from orchestration.launch import launch
from tests.tracing import Collector, collecting
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def settings(module_settings: Settings, collector: Collector) -> Iterator[Settings]:
    traces = TracesSettings(endpoint=collector.endpoint, sample_ratio=1.0)
    with Stack(module_settings.model_copy(update={"traces": traces})) as running:
        running.wait_ready(timeout=500)
        yield running.settings


def test_a_request_is_followed_to_its_row_and_to_the_run_that_counts_it(
    settings: Settings, collector: Collector
) -> None:
    headers = {"authorization": f"Bearer {settings.api.token.get_secret_value()}", "traceparent": CALLER}
    event = {
        "id": str(uuid4()),
        "user_id": "u",
        "event_type": "view",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    with httpx.Client(base_url=settings.api.address, headers=headers, trust_env=False, timeout=60) as api:
        api.post("/v1/events", json=[event]).raise_for_status()
        until(lambda: collector.named("arrival in ClickHouse"), "the arrival is told")
        run = launch(settings, timeout=400)
        until(lambda: collector.named("run everything"), "the run is told")

    (request,) = collector.named("POST /v1/events")
    (transaction,) = collector.named("events transaction")
    (arrival,) = collector.named("arrival in ClickHouse")
    assert run.succeeded
    assert {one.trace_id for one in (request, transaction, arrival)} == {CALLER[3:35]}
    assert {one.parent for one in (transaction, arrival)} == {request.span_id}
    assert request.start <= transaction.end <= arrival.end
    assert arrival.attributes["neonblue.events"] == "1"

    (counted,) = collector.named("run everything")
    steps = [span for span in collector.spans if span.parent == counted.span_id]
    nodes = [span for span in collector.spans if span.name.startswith("model.")]
    assert request.span_id in counted.links
    assert counted.attributes["neonblue.run_id"] == run.run_id
    assert {"dbt_models", "significance_tests"} <= {span.name for span in steps}
    assert not any(span.failed for span in (counted, *steps))
    (build,) = (span for span in steps if span.name == "dbt_models")
    assert len(nodes) > 10
    assert {node.parent for node in nodes} == {build.span_id}
    assert {span.service for span in collector.spans} == {"api", "dagster-code"}
