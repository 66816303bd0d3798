"""How long bytes have waited, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta

import pytest

from neonblue.serving.waiting import since_data_came


class _Transport(asyncio.BaseTransport):
    def __init__(self, connection: socket.socket | None) -> None:
        super().__init__({"socket": connection})


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel does not tell it")
def test_what_came_before_the_connection_was_taken_has_waited() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.sendall(b"POST")
        time.sleep(0.5)
        connection, _ = server.accept()
        with connection:
            assert timedelta(seconds=0.4) < since_data_came(_Transport(connection)) < timedelta(seconds=5)
            connection.recv(4)
            client.sendall(b"POST")
            time.sleep(0.05)
            connection.recv(4)
            assert since_data_came(_Transport(connection)) < timedelta(seconds=0.4)


def test_where_the_kernel_tells_nothing_nothing_has_waited() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"POST")
        assert since_data_came(_Transport(one)) == timedelta(0)
    assert since_data_came(_Transport(one)) == timedelta(0)
    assert since_data_came(_Transport(None)) == timedelta(0)
