"""What a GraphQL request asks for is judged by its whole document, and only what was judged is sent on."""

from __future__ import annotations

import json

import pytest

from orchestration.web.operations import read_body, read_message
from orchestration.web.refusals import Refusal

READING = [
    "{ version }",
    "query A { version } query B { version }",
    "query A { ...F } fragment F on Query { version }",
    "subscription S { pipelineRunLogs(runId: 1) { __typename } }",
    "query mutation { mutation: version }",
    '{ a: version(text: "mutation { stopSensor }") } # mutation { x }',
]
CHANGING = [
    'mutation { stopSensor(id: "x") { __typename } }',
    "mutation M { stopSensor { __typename } } query Q { version }",
    "query Q { version } mutation M { stopSensor { __typename } }",
    "mutation M { ...F } fragment F on Mutation { stopSensor { __typename } } query Q { version }",
    "mutation M { version: stopSensor { __typename } }",
    "\ufeff \n,, # query\n mutation{stopSensor{__typename}}",
]
UNREADABLE = ["", "{", "type X { a: Int }", "fragment F on Query { version }", "schema { query: M } query Q { a }",
              "{" + "a{" * 20_000, "{ a " + "b " * 60_000 + "}"]  # fmt: skip


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("query", READING)
def test_queries_and_subscriptions_read(query: str) -> None:
    assert not read_body(body(query=query)).changes()


@pytest.mark.parametrize("query", CHANGING)
@pytest.mark.parametrize("name", [None, "Q", "M"])
def test_a_document_with_a_mutation_anywhere_changes_whatever_operation_is_named(
    query: str, name: str | None
) -> None:
    assert read_body(body(query=query, operationName=name)).changes()


@pytest.mark.parametrize("query", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_document_that_is_not_of_operations_and_fragments_is_refused(query: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_body(body(query=query)).changes()

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "given",
    [
        b"", b"query", b"[]", b"null", b'"{ version }"', b'[{"query": "{ version }"}]', b"[" * 100_000,
        b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "00"}}}',
        b'{"id": "stored"}', b'{"query": ["{ version }"]}', b'{"query": "{ a }", "variables": "{}"}',
        b'{"query": "{ a }", "operationName": 1}', b"query=%7B+version+%7D", b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_body_that_is_no_single_request_is_refused(given: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        read_body(given)

    assert refused.value.status == 400


def test_of_a_field_that_is_given_twice_the_one_that_was_judged_is_sent_on() -> None:
    given = read_body(b'{"query": "mutation { a }", "query": "{ version }", "extensions": {"x": 1}}')

    assert not given.changes()
    assert json.loads(given.body()) == {"query": "{ version }", "variables": None, "operationName": None}


@pytest.mark.parametrize("kind", ["start", "subscribe"])
def test_a_message_that_starts_an_operation_is_judged_as_a_body_is(kind: str) -> None:
    def message(query: str) -> str:
        return json.dumps({"type": kind, "id": "1", "payload": {"query": query, "more": 1}})

    reading, changing = read_message(message(READING[3])), read_message(message(CHANGING[2]))

    assert reading.request is not None
    assert not reading.request.changes()
    assert "more" not in reading.text()
    assert changing.request is not None
    assert changing.request.changes()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"type": "run"}', '{"id": 1}', '{"type": "start", "id": "1"}', '{"type": "stop", "id": {}}',
     '{"type": ["start"], "payload": {"query": "mutation { a }"}}', '{"type": "start", "payload": "mutation { a }"}'],
)  # fmt: skip
def test_a_message_of_no_known_form_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read_message(text)


def test_a_message_without_an_operation_is_sent_on_without_its_payload() -> None:
    assert json.loads(read_message('{"type": "connection_init", "payload": {"a": 1}}').text()) == {
        "type": "connection_init"
    }
