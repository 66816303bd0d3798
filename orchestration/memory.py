"""What sensors keep between their ticks, in Dagster's own storage: texts by name."""

from __future__ import annotations

from dagster import DagsterInstance


def stored(instance: DagsterInstance, name: str) -> str | None:
    """What was kept under the name; None: nothing was."""
    return instance.daemon_cursor_storage.get_cursor_values({name}).get(name)


def store(instance: DagsterInstance, name: str, text: str) -> None:
    """Keep the text under the name, in place of what was."""
    instance.daemon_cursor_storage.set_cursor_values({name: text})
