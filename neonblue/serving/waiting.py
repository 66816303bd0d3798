"""How long ago the kernel took what a process reads only now."""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import timedelta

_LAST_DATA_RECEIVED = 52
"""Offset of `tcpi_last_data_recv` in Linux' `struct tcp_info`: milliseconds, a native unsigned int (linux/tcp.h)."""
_NONE = timedelta(0)


def since_data_came(transport: asyncio.BaseTransport) -> timedelta:
    """Since the connection's newest bytes came to this machine; none where the kernel can't tell (no Linux, no TCP)."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return _NONE
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, option, _LAST_DATA_RECEIVED + 4)
        (milliseconds,) = struct.unpack_from("I", told, _LAST_DATA_RECEIVED)
    except (OSError, struct.error):
        return _NONE
    return timedelta(milliseconds=milliseconds)
