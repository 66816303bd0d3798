"""Every call of the OpenAPI document, with what it allows and with what it does not: no answer is a defect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.migrations import upgrade
from tests.integration.api.access.conftest import Cache
from tests.integration.api.access.test_every_endpoint import _application
from tests.integration.api.conftest import Server
from tests.integration.api.fleet import running_api
from tests.integration.api.test_durability import query

DOCUMENT = _application().openapi()
OPERATIONS = sum(len(item) for item in DOCUMENT["paths"].values())
EXAMPLES = max(10, 1_200 // OPERATIONS)
"""For each call: all of them together take about two minutes."""
SECRET = "neonblue_sk_" + uuid4().hex
TOKEN_ID = 2_000_000_123

schema = schemathesis.openapi.from_dict(DOCUMENT)


def no_defect(context: CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> bool | None:
    """ClickHouse is away in this test, and says so by a documented 503; any other 5xx is a defect."""
    if response.status_code == 503 and "clickhouse_unavailable" in response.text:
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_defect,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def fuzzed_api(
    postgres: Server, valkey: Cache, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """An API on a database of its own, for anything may be written to it.

    Its administrator's token has an id that no generated request revokes by chance.
    """
    name = f"fuzzed_{uuid4().hex}"
    query(postgres, f"CREATE DATABASE {name}")
    own = replace(postgres, dsn=postgres.dsn.rpartition("/")[0] + f"/{name}")
    upgrade(own.dsn)
    query(
        own,
        "INSERT INTO api_tokens (id, name, token_hash, scopes) OVERRIDING SYSTEM VALUE VALUES (%s, 'fuzz', %s, %s)",
        TOKEN_ID,
        sha256(SECRET.encode()).digest(),
        ["admin"],
    )
    with running_api(own, tmp_path_factory.mktemp("fuzzed"), valkey=valkey.url) as client:
        client.headers["authorization"] = f"Bearer {SECRET}"
        yield client
        assert client.get("/v1/tokens").status_code == 200, "the administrator's token was lost on the way"


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_meets_a_defect(case: schemathesis.Case, fuzzed_api: httpx.Client) -> None:
    case.call_and_validate(
        base_url=str(fuzzed_api.base_url),
        headers={"authorization": f"Bearer {SECRET}"},
        checks=CHECKS,
    )
