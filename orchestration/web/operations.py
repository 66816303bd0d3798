"""What a GraphQL request asks for, by its own words.

Every operation of a document counts, also one that its `operationName` does not choose. A request is written anew from
what was read of it: Dagster sees nothing that was not judged here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, OperationType, parse

from orchestration.web.refusals import Refusal

_MOST_TOKENS = 50_000
_READING = frozenset({OperationType.QUERY, OperationType.SUBSCRIPTION})
_STARTING = frozenset({"start", "subscribe"})
_PLAIN = frozenset({"connection_init", "connection_terminate", "stop", "complete", "ping", "pong"})


@dataclass(frozen=True, slots=True)
class Request:
    """One GraphQL request: its document, variables and the name of the operation to carry out."""

    query: str
    variables: Mapping[str, Any] | None
    operation_name: str | None

    def changes(self) -> bool:
        """Whether any operation of the document is something else than a query or a subscription.

        Raises Refusal where the document can't be read, or defines anything but operations and fragments.
        """
        try:
            document = parse(self.query, no_location=True, max_tokens=_MOST_TOKENS)
        except GraphQLError as error:
            raise Refusal(400, f"The GraphQL document can't be read: {error.message}") from None
        except RecursionError:
            raise Refusal(400, "The GraphQL document is nested too deeply") from None
        operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        fragments = [one for one in document.definitions if isinstance(one, FragmentDefinitionNode)]
        if not operations or len(operations) + len(fragments) != len(document.definitions):
            raise Refusal(400, "A GraphQL document has operations and fragments, and nothing else")
        return any(one.operation not in _READING for one in operations)

    def payload(self) -> dict[str, Any]:
        """The request as it is sent on."""
        return {"query": self.query, "variables": self.variables, "operationName": self.operation_name}

    def body(self) -> bytes:
        return json.dumps(self.payload()).encode()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a WebSocket, by graphql-ws or graphql-transport-ws. request: what it starts, if it does."""

    type: str
    id: str | int | None
    request: Request | None

    def text(self) -> str:
        """The message as it is sent on."""
        started = {} if self.request is None else {"payload": self.request.payload()}
        named = {} if self.id is None else {"id": self.id}
        return json.dumps({"type": self.type} | named | started)


def read_body(body: bytes) -> Request:
    """The request in a body of JSON. Raises Refusal: no batches, no persisted queries."""
    return _request(_object(body, "The body"))


def read_message(text: str | bytes) -> Message:
    """A WebSocket's message. Raises Refusal for one that neither protocol has."""
    given = _object(text, "The message")
    kind, name = given.get("type"), given.get("id")
    if not isinstance(kind, str) or not isinstance(name, str | int | None):
        raise Refusal(400, "A message has a type, and its id is a text")
    if kind in _STARTING:
        payload = given.get("payload")
        if not isinstance(payload, dict):
            raise Refusal(400, "A message that starts an operation has it in its payload")
        return Message(kind, name, _request(payload))
    if kind in _PLAIN:
        return Message(kind, name, None)
    raise Refusal(400, "The message is of no type that is known here")


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, f"{what} is not JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, f"{what} is one JSON object: several requests at once are not taken")
    return given


def _request(given: Mapping[str, Any]) -> Request:
    query, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(query, str):
        raise Refusal(400, "query: the GraphQL document as a text is wanted")
    if not isinstance(variables, dict | None):
        raise Refusal(400, "variables: an object is wanted")
    if not isinstance(name, str | None):
        raise Refusal(400, "operationName: a text is wanted")
    return Request(query, variables, name)
