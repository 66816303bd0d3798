"""The connections of ClickHouse's interface: within the same limits as the API's."""

from __future__ import annotations

from neonblue.serving.limits import ConnectionLimits
from neonblue.serving.protocol import BoundedProtocol

_LIMITS = ConnectionLimits(
    url=65_535,  # parameters of a query may stand in it; larger ones, and the query, go in the body
    unread=60.0,  # readers work on the rows between two reads
    connections=1_024,
    of_one_address=1_024,  # the platform's own parts have one address
)


class Protocol(BoundedProtocol):
    """One connection."""

    def limits(self) -> ConnectionLimits:
        return _LIMITS
