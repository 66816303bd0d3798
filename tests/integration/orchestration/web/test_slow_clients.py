"""Connections that ask for nothing are not kept, and leave the page to others."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.integration.orchestration.web.conftest import SECRET, Page

pytestmark = pytest.mark.timeout(600)
_BEFORE = 25.0


def opened(page: Page, sent: bytes) -> socket.socket:
    served = urlsplit(page.address)
    made = socket.create_connection((served.hostname, served.port), timeout=_BEFORE)
    made.sendall(sent)
    return made


def test_a_head_that_does_not_end_is_not_waited_for(page: Page) -> None:
    answered = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(opened(page, sent))
            for sent in (b"GET / HTTP/1.1\r\n", answered + b"GET /") * 10
        ]
        assert page.client(SECRET).get("/server_info").status_code == 200
        for one in waiting:
            while one.recv(4096):
                pass


def test_a_head_that_grows_without_end_is_refused(page: Page) -> None:
    with opened(page, b"GET / HTTP/1.1\r\nx: ") as one:
        try:
            for _ in range(200):
                one.sendall(b"x" * 4096)
        except OSError:
            return
        assert one.recv(4096).startswith(b"HTTP/1.1 431")


def test_a_body_that_does_not_come_is_not_waited_for_without_a_session(page: Page) -> None:
    fields = b"host: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000"
    with opened(page, b"POST /graphql HTTP/1.1\r\n" + fields + b"\r\n\r\n{") as one:
        assert one.recv(4096).startswith(b"HTTP/1.1 401")
