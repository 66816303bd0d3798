"""Which arrivals a process tells of: each message of its own requests, once."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan

from api.arrivals import Arrivals
from neonblue.settings import ClickHouseSettings
from neonblue.tracing import traceparent
from neonblue.tracing.counts import Counts
from neonblue.tracing.sending import Sender
from neonblue.tracing.tracer import Tracing


def test_each_message_of_an_own_request_is_told_once() -> None:
    told: list[ReadableSpan] = []

    def keep(spans: Sequence[ReadableSpan]) -> bool:
        told.extend(spans)
        return True

    tracing = Tracing("tests", Sender(keep, 100, Counts()), 1.0)
    arrivals = Arrivals(ClickHouseSettings(), tracing)
    mine, other = tracing.begin("mine"), tracing.begin("another process's")
    arrivals.expect(mine)
    first = (traceparent(mine) or "", 1_700_000_000.5, 1_700_000_001.25, 3, 0, 7)
    rows = [
        first,
        (traceparent(mine) or "", 1_700_000_000.5, 1_700_000_001.5, 2, 1, 7),
        (traceparent(other) or "", 1_700_000_000.5, 1_700_000_001.5, 1, 0, 8),
        ("no span", 1_700_000_000.5, 1_700_000_001.5, 1, 0, 9),
    ]

    arrivals._note(rows)
    arrivals._note([first])
    tracing.stop()

    assert [(span.name, span.parent and span.parent.span_id) for span in told] == [
        ("arrival in ClickHouse", mine.get_span_context().span_id)
    ] * 2
    assert (told[0].start_time, told[0].end_time) == (1_700_000_000_500_000_000, 1_700_000_001_250_000_000)
    assert [(span.attributes or {})["neonblue.events"] for span in told] == [3, 2]
