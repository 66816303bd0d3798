"""How far a client's clock is from the platform's, where a request says when it was sent by the client's.

What is measured holds the way of the request too: a distance that the way explains is no fault of the clock. As the
field's collectors do (Segment's `sentAt`, PostHog's `sent_at`, Amplitude's `client_upload_time`), the distance is added
to the times of the request's events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from neonblue.contract.codes import Code
from neonblue.contract.instants import EPOCH, format_instant, parse_instant
from neonblue.contract.violation import ContractError

HEADER = "sent-at"
ON_THE_WAY = timedelta(seconds=1)
"""A request may take as long: a distance within it is not corrected, and the order of a client's events stays."""
FARTHEST = timedelta(days=1)
"""A clock that is farther away tells nothing: its times are kept as they are."""

_NONE = timedelta(0)
_END = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A client's clock at one request. sent_at: what it said. offset: what is added to its times."""

    sent_at: str
    offset: timedelta = _NONE
    too_far: bool = False


def clock_of(header: str, received_at: datetime) -> Clock:
    """Of a request that came at `received_at`. Raises ContractError where the header is no time of 1970 to 2199."""
    try:
        sent_at = parse_instant(header.upper())
    except (ValueError, OverflowError):
        sent_at = None
    if sent_at is None or not EPOCH <= sent_at < _END:
        raise ContractError(Code.INVALID_TIMESTAMP, "must be a time such as 2026-03-01T09:30:00.250Z", HEADER)
    distance = received_at - sent_at
    if abs(distance) > FARTHEST:
        return Clock(format_instant(sent_at), too_far=True)
    return Clock(format_instant(sent_at), _NONE if abs(distance) <= ON_THE_WAY else distance)
