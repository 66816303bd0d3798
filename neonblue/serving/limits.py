"""How much, how many and how long, on a connection that anybody can open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one server process. Sizes are in bytes, times in seconds.

    url: longer ones can't be parsed (65,535). head, fields: of one request's head, its address aside, and of whatever
    comes in a body without being a part of it. first_request: until a new connection asks something. head_time: from a
    head's first byte to its last. silence: without a byte of a body that was announced. rate: what a body, and the
    reading of an answer, must at least make on average, after `silence`. unread: without `rate` × `unread` bytes of an
    answer taken. surplus, surplus_time: of a body whose request is answered already. connections: at once, and of them
    from one address. shared: networks that many clients come from, such as those of proxies, without that limit.
    parting: how long a server that ends keeps connections that send nothing, so that a request on its way is answered,
    with `Connection: close`; 0: they are closed at once.
    """

    url: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100
    first_request: float = 60.0
    head_time: float = 10.0
    silence: float = 30.0
    rate: int = 1024
    unread: float = 30.0
    surplus: int = 2 * 1024 * 1024
    surplus_time: float = 5.0
    connections: int = 4_096
    of_one_address: int = 2_048
    shared: Sequence[Network] = ()
    parting: float = 0.0


SINGLE_FIELDS = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"host",
        b"idempotency-key",
        b"origin",
        b"transfer-encoding",
        b"x-clickhouse-key",
        b"x-clickhouse-user",
        b"x-csrf-token",
    }
)
"""Fields that decide something. Of two with one name, this server and a proxy before it may read another one each."""
