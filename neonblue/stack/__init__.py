"""Runs the real services on one machine: PostgreSQL, Valkey, Kafka, Connect, ClickHouse, the API, Dagster.

``with Stack(settings) as stack: stack.wait_ready()`` is the whole interface for tests and the demo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neonblue.stack.stack import Stack as Stack

__all__ = ["Stack"]


def __getattr__(name: str) -> object:
    # On first use: `neonblue status` and ClickHouse's server need none of the services' clients.
    if name == "Stack":
        from neonblue.stack.stack import Stack

        return Stack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
