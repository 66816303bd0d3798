"""What a client of ClickHouse's interface can make long, large or double, without a password."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.integration.clickhouse_server.conftest import ADMIN, Server


def _told(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        try:
            for start in range(0, len(sent), 65_536):
                connection.sendall(sent[start : start + 65_536])
        except ConnectionError:
            pass
        return connection.recv(65_536)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /ping HTTP/1.1\r\nhost: x\r\n" + b"x-long: " + b"a" * 30_000_000, b"431"),
        (b"GET /ping HTTP/1.1\r\nhost: x\r\n" + b"x: 1\r\n" * 101 + b"\r\n", b"431"),
        (b"GET /?query=SELECT+" + b"1" * 30_000_000, b"414"),
        (b"GET /ping HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", b"400"),
        (
            b"GET /ping HTTP/1.1\r\nhost: x\r\nauthorization: Basic YQ==\r\nauthorization: Basic Yg==\r\n\r\n",
            b"400",
        ),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-clickhouse-user: a\r\nx-clickhouse-user: b\r\n\r\n", b"400"),
    ],
    ids=["endless field", "many fields", "endless address", "two hosts", "two authorizations", "two users"],
)
def test_an_unbounded_or_double_head_is_refused(server: Server, sent: bytes, status: bytes) -> None:
    assert _told(server, sent)[9:12] == status
    assert httpx.get(f"{server.address}/ping", timeout=5, trust_env=False).text == "Ok.\n"


def test_parameters_of_a_query_may_stand_in_a_long_address(server: Server) -> None:
    many = "[" + ",".join(str(n) for n in range(9_000)) + "]"

    assert server.post("SELECT length({many:Array(UInt32)})", ADMIN, param_many=many).text == "9000\n"
