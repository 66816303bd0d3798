"""The connections of Dagster's page: within the same limits as the API's."""

from __future__ import annotations

from neonblue.serving.limits import ConnectionLimits
from neonblue.serving.protocol import BoundedProtocol

_LIMITS = ConnectionLimits(
    url=16 * 1024,  # the page keeps selections of assets in it
    connections=1_024,
    of_one_address=1_024,  # the stack's own calls, and everybody behind a tunnel or a proxy, have one address
)


class Protocol(BoundedProtocol):
    """One connection."""

    def limits(self) -> ConnectionLimits:
        return _LIMITS
