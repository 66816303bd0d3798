"""Runs the real services on one machine: PostgreSQL, Valkey, Kafka, Connect, ClickHouse, the API, Dagster.

``with Stack(settings) as stack: stack.wait_ready()`` is the whole interface for tests and the demo.
"""

from neonblue.stack.stack import Stack

__all__ = ["Stack"]
