"""A span as the header and the message carry it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.tracing import Parent, parent_of, traceparent

_TRACE, _SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
def test_what_is_written_is_read_again(trace_id: int, span_id: int) -> None:
    context = SimpleNamespace(trace_id=trace_id, span_id=span_id)
    written = traceparent(SimpleNamespace(get_span_context=lambda: context))

    assert written is not None
    assert parent_of(written) == Parent(trace_id, span_id)


def test_without_a_span_nothing_is_carried() -> None:
    assert traceparent(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{_TRACE}-{_SPAN}",
        f"00-{_TRACE.upper()}-{_SPAN}-01",
        f"00-{'0' * 32}-{_SPAN}-01",
        f"00-{_TRACE}-{'0' * 16}-01",
        f"ff-{_TRACE}-{_SPAN}-01",
        f"00-{_TRACE}-{_SPAN}-01-more",
        f"00-{_TRACE}-{_SPAN}-01\n",
        f"00-{_TRACE}-{_SPAN}-0١",
    ],
)
def test_what_is_not_well_formed_is_no_parent(text: str) -> None:
    assert parent_of(text) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parent_of(f"01-{_TRACE}-{_SPAN}-01-more") == Parent(int(_TRACE, 16), int(_SPAN, 16))
