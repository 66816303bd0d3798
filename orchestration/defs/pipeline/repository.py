"""How far the stream is: from PostgreSQL over the topic to ClickHouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg
from clickhouse_connect.driver.client import Client

_NEWEST_ACCEPTED = "SELECT max(received_at), now() FROM events WHERE day >= %s"
_NEWEST_PRESENT = "SELECT max(received_at) FROM events_processed"
_YESTERDAY = """
SELECT
    (SELECT count() FROM first_exposures WHERE exposure_date = {day:Date}),
    (SELECT count() FROM daily_metrics WHERE date = {day:Date})
"""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest event's time of acceptance in both stores, and now. None: there is none."""

    accepted: datetime | None
    present: datetime | None
    now: datetime

    @property
    def behind(self) -> timedelta:
        """How long the newest accepted event has been waiting for ClickHouse; nothing where it is there."""
        if self.accepted is None or (self.present is not None and self.present >= self.accepted):
            return timedelta(0)
        return self.now - self.accepted


def read_freshness(postgres: psycopg.Connection, client: Client) -> Freshness:
    """How far ClickHouse is behind; PostgreSQL's last two days are looked at."""
    since = datetime.now(UTC).date() - timedelta(days=1)
    row = postgres.execute(_NEWEST_ACCEPTED, (since,)).fetchone()
    accepted, now = row if row is not None else (None, datetime.now(UTC))
    present: datetime = client.query(_NEWEST_PRESENT).result_rows[0][0]
    return Freshness(accepted, present if present.tzinfo else present.replace(tzinfo=UTC), now)


def read_day(client: Client, day: date) -> tuple[int, int]:
    """Units first exposed on the day, and the day's rows in `daily_metrics`."""
    exposures, rows = client.query(_YESTERDAY, parameters={"day": day}).result_rows[0]
    return int(exposures), int(rows)
