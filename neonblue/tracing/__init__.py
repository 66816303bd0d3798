"""Traces by OpenTelemetry, off by default. Nothing of OpenTelemetry is loaded while they are off.

A request's span is `CURRENT` while it is served. What it causes later, in other processes, carries its `traceparent`
(W3C Trace Context). A span holds names, counts and times: no person's id, no property, no token.
"""

from neonblue.tracing.context import CURRENT, NowSpan, Parent, parent_of, traceparent
from neonblue.tracing.counts import COUNTS

__all__ = ["COUNTS", "CURRENT", "NowSpan", "Parent", "parent_of", "traceparent"]
