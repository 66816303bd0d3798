"""How storing can fail."""

from __future__ import annotations

import psycopg
from psycopg import errors


class Unavailable(Exception):  # noqa: N818 - names a state, as in the answer's title
    """The data may not be stored; sending the same again is right and safe."""


class DiskFull(Unavailable):
    """There is no room for it now. Nothing was stored; sending the same again later is right and safe."""


class Refused(Exception):  # noqa: N818
    """The store refused the data; sending the same again changes nothing."""


_OUTAGES = (
    psycopg.OperationalError,  # the server is away, stops, is out of disk, memory or connections
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,  # not migrated yet
    TimeoutError,
    OSError,
)


def is_outage(error: Exception) -> bool:
    """Whether the error says something about the store, not about the data."""
    return isinstance(error, _OUTAGES)
