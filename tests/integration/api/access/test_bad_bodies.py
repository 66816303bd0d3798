"""Bodies that no call may take: each is refused with a status below 500, a code, and the field where there is one."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.app import _HOT
from neonblue.contract.limits import REQUEST_BYTES
from tests.integration.api.access.conftest import code
from tests.integration.api.access.test_every_endpoint import CALLS, METHODS, Call, _application

DEEP = 100_000


def _with_bodies() -> list[Call]:
    paths = _application().openapi()["paths"]
    return [call for call in CALLS if "requestBody" in paths[call.path][call.method]]


NASTY: dict[str, tuple[bytes, set[str] | None]] = {
    "not json": (b"{", {"not_json"}),
    "nothing": (b"", None),
    "nan": (b'{"surely": NaN}', {"not_json", "unknown_field"}),
    "not utf-8": (b'{"surely": "\xff\xfe"}', {"not_utf8"}),
    "byte order mark": (b"\xef\xbb\xbf{}", None),
    "unknown field": (b'{"surely_unknown": 1}', None),
    "a number": (b"7", None),
    "a text": (b'"text"', None),
    "null": (b"null", None),
    "a list of nothing": (b"[]", None),
    "a list of lists": (b"[[[]]]", None),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, {"too_deep"}),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, {"too_deep"}),
    "the same key twice": (b'{"a": 1, "b": {"c": 1, "c": 2}}', None),
    "nul in a value": (b'{"surely": "a\\u0000b"}', None),
    "nul in a key": (b'{"sure\\u0000ly": 1}', None),
    "raw nul": (b'{"surely": "a\x00b"}', {"not_json"}),
    "lone surrogate in a value": (b'{"surely": "\\ud800"}', None),
    "lone surrogate in a key": (b'{"\\udfff": 1}', None),
    "past 2^63": (b'{"surely": 9223372036854775808}', None),
    "far past 2^63": (b'{"surely": ' + b"9" * 100_000 + b"}", None),
    "past a double": (b'{"surely": 1e400}', None),
    "oversized": (b'{"surely": "' + b"x" * REQUEST_BYTES + b'"}', {"too_large"}),
    "prototype": (b'{"__proto__": {"admin": true}, "constructor": null}', None),
}
"""Body, and the codes that say why; None: whichever the call finds first, as the two hot calls always do."""


@pytest.mark.parametrize("call", _with_bodies(), ids=str)
@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_body_is_refused_with_a_code(whole_api: httpx.Client, call: Call, name: str) -> None:
    body, codes = NASTY[name]
    answer = _send(whole_api, call, body)
    assert 400 <= answer.status_code < 500, answer.text[:500]
    if answer.headers["content-type"] == "application/problem+json":
        found = {code(answer)[1]}
    elif call.path.startswith("/ofrep/"):
        found = {answer.json()["errorCode"].lower()}
    else:
        found = {item["code"] for item in answer.json()["items"]}
    assert all(found)
    if codes is not None and call.path not in _HOT and not call.path.startswith("/ofrep/"):
        large = call.path == "/v1/session" and len(body) > 4_096
        assert found <= ({"too_large"} if large else codes)


@pytest.mark.parametrize("call", _with_bodies(), ids=str)
def test_each_field_refuses_each_other_type(whole_api: httpx.Client, call: Call) -> None:
    """One field at a time is of a type that it is not."""
    document = _application().openapi()
    content = document["paths"][call.path][call.method]["requestBody"]["content"]["application/json"]
    schema = _resolved(document, content["schema"])
    for field, allowed in schema.get("properties", {}).items():
        for value in ([[]], {"a": {"b": []}}, -(2**70), "\ud800", "x" * 5_000, True, 1e308, None):
            if isinstance(value, dict) and allowed.get("additionalProperties") is True:
                continue  # a free-form object
            answer = _send(whole_api, call, json.dumps({field: value}).encode())
            assert 400 <= answer.status_code < 500, (field, value, answer.text[:500])


@pytest.mark.parametrize("call", _with_bodies(), ids=str)
@pytest.mark.parametrize(
    "kind", ["text/plain", "text/csv", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
def test_a_body_of_another_type_is_refused(whole_api: httpx.Client, call: Call, kind: str) -> None:
    """A form of another site can send these without being asked for leave."""
    answer = _send(whole_api, call, b'{"a": 1}', kind)
    assert code(answer) == (415, "unsupported_media_type")


def test_every_method_with_a_body_was_tried() -> None:
    assert {call.method for call in _with_bodies()} <= set(METHODS)
    assert len(_with_bodies()) >= 5


def _send(api: httpx.Client, call: Call, body: bytes, kind: str = "application/json") -> httpx.Response:
    path = call.path.replace("{", "").replace("}", "")
    return api.request(call.method.upper(), path, content=body, headers={"content-type": kind})


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return _resolved(document, schema["oneOf"][0]) if "oneOf" in schema else schema
