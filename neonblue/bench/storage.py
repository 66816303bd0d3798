"""How many bytes the topic and the table take."""

from __future__ import annotations

from pathlib import Path

from clickhouse_connect.driver.client import Client

from neonblue.settings import Settings

PARTS = """
SELECT sum(rows), sum(bytes_on_disk) FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'events_processed'
"""


def topic_bytes(settings: Settings) -> int | None:
    """Size of the topic's log segments; None where the broker's files are not on this machine."""
    if settings.kafka.external:
        return None
    segments = Path(settings.data_dir).glob(f"**/{settings.kafka.topic}-[0-9]*/*.log")
    return sum(segment.stat().st_size for segment in segments)


def table_size(client: Client) -> tuple[int, int]:
    """Rows (copies included) and bytes on disk of `events_processed`."""
    rows, size = client.query(PARTS).result_rows[0]
    return int(rows or 0), int(size or 0)
