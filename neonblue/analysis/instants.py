"""Times in answers and tables: one form, whatever the column they come from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer

from neonblue.contract.instants import format_instant


def utc_text(moment: datetime) -> str:
    """`2026-03-01T09:30:00.250000Z`. ClickHouse's driver gives times in UTC without their zone."""
    return format_instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


Instant = Annotated[datetime, PlainSerializer(utc_text, return_type=str, when_used="json")]
"""A time of an answer: in JSON as `utc_text` writes it."""
