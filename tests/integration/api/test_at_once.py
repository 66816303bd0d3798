"""Assignments answered where their bytes arrive: to the client they differ from the others in nothing but time."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.experiments import Written, write
from tests.integration.api.fleet import wait_until

_LENGTH = re.compile(rb"content-length: (\d+)")


class Wire:
    """A connection on which bytes are sent as they are."""

    def __init__(self, api: httpx.Client) -> None:
        self._socket = socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=20)
        self._read = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[bytes, Any]:
        """The next answer's head and decoded body."""
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, rest = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        while len(rest) < int(length[1]):
            rest += self._receive()
        self._read = rest[int(length[1]) :]
        return head, json.loads(rest[: int(length[1])])

    def ended(self) -> bool:
        """Whether the server closes the connection without another byte."""
        return self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        data = self._socket.recv(65_536)
        assert data, "closed by the server"
        self._read += data
        return data


@pytest.fixture
def wire(api: httpx.Client) -> Iterator[Wire]:
    wire = Wire(api)
    yield wire
    wire.close()


@pytest.fixture
def asked(api: httpx.Client, postgres: Server) -> dict[str, str]:
    """What asks for an assignment that the process has in memory."""
    experiment = write(postgres)
    body = {"experiment": experiment.key, "user_id": f"user-{uuid4()}"}
    _await_known(api, experiment)
    for _ in range(2):
        assert api.post("/v1/assignments", json=body).status_code == 200
    return body


def _await_known(api: httpx.Client, experiment: Written) -> None:
    probe = {"experiment": experiment.key, "user_id": f"user-{uuid4()}", "expose": False}
    wait_until(lambda: api.post("/v1/assignments", json=probe).status_code == 200, "it is known")


def post(
    body: bytes, *headers: str, path: str = "/v1/assignments", version: str = "1.1", length: bool = True
) -> bytes:
    lines = [f"POST {path} HTTP/{version}", "host: x", f"authorization: Bearer {TOKEN}", *headers]
    lines += [f"content-length: {len(body)}"] if length else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def fields(head: bytes) -> set[bytes]:
    return {line.split(b":")[0] for line in head.split(b"\r\n")[1:]}


def test_the_answer_is_the_one_of_the_usual_way(wire: Wire, asked: dict[str, str]) -> None:
    body = json.dumps(asked).encode()

    wire.send(post(body))
    head, answer = wire.answer()
    wire.send(post(body, "content-encoding: identity"))  # which clients need not say: the usual way
    usual_head, usual = wire.answer()

    assert answer == usual
    assert answer["created"] is False
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert fields(head) == fields(usual_head)


def test_the_callers_request_id_comes_back_and_others_are_new(wire: Wire, asked: dict[str, str]) -> None:
    body = json.dumps(asked).encode()
    heads = []
    for given in ("x-request-id: mine.1", "x-request-id: a b", "accept: */*"):
        wire.send(post(body, given))
        heads.append(wire.answer()[0])

    found = [re.search(rb"x-request-id: (\S+)", head) for head in heads]
    ids = [match[1] for match in found if match is not None]

    assert ids[0] == b"mine.1"
    assert len(set(ids)) == 3


def test_requests_in_one_packet_are_answered_in_their_order(wire: Wire, asked: dict[str, str]) -> None:
    known = json.dumps(asked).encode()
    people = [f"user-{uuid4()}" for _ in range(2)]
    new = [json.dumps({**asked, "user_id": person}).encode() for person in people]

    wire.send(post(known) + post(new[0]) + post(known) + post(b"{", path="/v1/events") + post(new[1]))
    answers = [wire.answer()[1] for _ in range(5)]

    assert [answers[n]["user_id"] for n in (0, 1, 2, 4)] == [
        asked["user_id"],
        people[0],
        asked["user_id"],
        people[1],
    ]
    assert [answers[n]["created"] for n in (0, 1, 2, 4)] == [False, True, False, True]
    assert answers[3]["rejected"] == 1


def test_a_request_may_come_in_pieces(wire: Wire, asked: dict[str, str]) -> None:
    request = post(json.dumps(asked).encode())
    for start in range(0, len(request), 17):
        wire.send(request[start : start + 17])

    assert wire.answer()[1]["user_id"] == asked["user_id"]


def test_a_body_in_chunks_is_read(wire: Wire, asked: dict[str, str]) -> None:
    body = json.dumps(asked).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:])) + b"0\r\n\r\n"

    wire.send(post(b"", "transfer-encoding: chunked", length=False) + chunks)

    assert wire.answer()[1]["user_id"] == asked["user_id"]


@pytest.mark.parametrize(("header", "version"), [("connection: close", "1.1"), ("accept: */*", "1.0")])
def test_the_connection_ends_where_the_client_wants_it(
    wire: Wire, asked: dict[str, str], header: str, version: str
) -> None:
    wire.send(post(json.dumps(asked).encode(), header, version=version))

    assert wire.answer()[1]["user_id"] == asked["user_id"]
    assert wire.ended()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty"),
        (b"[]", 400, "empty"),
        (b'{"experiment":"no-such-experiment","user_id":"u"}', 404, "unknown_experiment"),
        (b'{"experiment":"e","experiment":"e","user_id":"u"}', 422, "duplicate_key"),
        (b'{"experiment":"e","user_id":7}', 422, "wrong_type"),
    ],
)
def test_what_is_wrong_is_told_as_ever(wire: Wire, body: bytes, status: int, code: str) -> None:
    wire.send(post(body))
    head, answer = wire.answer()

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert answer["code"] == code


def test_a_stranger_learns_nothing(wire: Wire, asked: dict[str, str]) -> None:
    body = json.dumps(asked).encode()
    wire.send(post(body).replace(TOKEN.encode(), b"0" * len(TOKEN)))
    head, answer = wire.answer()

    assert head.startswith(b"HTTP/1.1 401 ")
    assert answer["code"] == "invalid_token"


def test_each_answer_is_counted_once(api: httpx.Client, wire: Wire, asked: dict[str, str]) -> None:
    def counted(name: str) -> float:
        line = next(line for line in api.get("/metrics").text.splitlines() if line.startswith(name))
        return float(line.rsplit(" ", 1)[1])

    names = (
        'neonblue_requests_total{route="/v1/assignments",status="200"}',
        'neonblue_assignments_total{origin="process"}',
        'neonblue_request_seconds_count{route="/v1/assignments"}',
        'neonblue_request_seconds_bucket{le="+Inf",route="/v1/assignments"}',
    )
    before = [counted(name) for name in names]
    for _ in range(7):
        wire.send(post(json.dumps(asked).encode()))
        wire.answer()

    assert [counted(name) - old for name, old in zip(names, before, strict=True)] == [7, 7, 7, 7]
