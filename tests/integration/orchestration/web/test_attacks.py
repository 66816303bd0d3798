"""What a web page, a neighbour on the machine and a viewer try is refused, and the guardrails' sensor runs on."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.orchestration.browser import until
from tests.integration.orchestration.web.conftest import SECRET, STOP, Page

pytestmark = pytest.mark.timeout(600)
QUERY = "{ version }"
LAUNCH = """
mutation Launch { launchRun(executionParams: {selector: {repositoryName: "__repository__",
  repositoryLocationName: "small", pipelineName: "__ASSET_JOB", assetSelection: [{path: ["greeting"]}]}})
  { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
START = """
mutation { startSensor(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "small",
                                        sensorName: "guardrails"}) { __typename } }
"""


@pytest.fixture
def viewer(make_token: TokenMaker) -> str:
    return make_token("viewer")


@pytest.fixture
def editor(make_token: TokenMaker) -> str:
    return make_token("editor")


def signed_in(page: Page, secret: str) -> httpx.Client:
    """A browser after its sign-in."""
    client = page.client(origin=page.address)
    answer = client.post("/sign-in", data={"token": secret, "next": "/runs"})
    assert answer.status_code == 303, answer.text
    return client


def test_a_mutation_by_get_is_refused_to_everyone(page: Page, sensor: dict[str, str], editor: str) -> None:
    given = {"query": STOP % sensor["id"]}
    for client in (page.client(), page.client(editor), page.client(SECRET), signed_in(page, editor)):
        for headers in ({}, {"origin": "http://evil.example"}, {"accept": "text/html"}):
            answer = client.get("/graphql", params=given, headers=headers)
            assert answer.status_code in (303, 401, 403, 405)
            assert client.head("/graphql", params=given, headers=headers).status_code in (303, 401, 403, 405)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", "json"), ("application/x-www-form-urlencoded", "json"), ("application/graphql", "text"),
        ("multipart/form-data; boundary=application/json", "json"), ("", "json"), ("application/jsonp", "json"),
        ("text/plain, application/json", "json"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_refused(
    page: Page, sensor: dict[str, str], editor: str, kind: str, content: str
) -> None:
    query = STOP % sensor["id"]
    body = json.dumps({"query": query}) if content == "json" else query
    answer = page.client(editor).post(
        "/graphql", params={"query": query}, content=body, headers={"content-type": kind}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "localhost.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/graphql", "/sign-in", "/livez", "/server_info"])
def test_a_foreign_host_is_refused(page: Page, editor: str, host: str, path: str) -> None:
    for method in ("GET", "POST"):
        answer = page.client(editor).request(method, path, headers={"host": host}, json={"query": QUERY})
        assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:8000", "null", "https://127.0.0.1"]
)
def test_another_pages_request_is_refused_whatever_it_brings(
    page: Page, sensor: dict[str, str], editor: str, origin: str
) -> None:
    for client in (page.client(editor), page.client(SECRET), signed_in(page, editor)):
        answer = client.post("/graphql", json={"query": STOP % sensor["id"]}, headers={"origin": origin})
        assert answer.status_code == 403
    form = {"token": editor, "next": "/"}
    assert page.client().post("/sign-in", data=form, headers={"origin": origin}).status_code == 403
    assert page.client().post("/sign-in", data=form).status_code == 403


def test_a_session_changes_nothing_without_the_origin(
    page: Page, sensor: dict[str, str], editor: str
) -> None:
    client = signed_in(page, editor)
    del client.headers["origin"]

    assert client.post("/graphql", json={"query": STOP % sensor["id"]}).status_code == 403
    assert (
        client.get("/", headers={"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}).status_code == 403
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/runs/1"), ("GET", "/server_info"), ("GET", "/dagit_info"), ("GET", "/logs/a/b.out"),
        ("GET", "/download_debug/1"), ("GET", "/notebook?path=/a.ipynb&repoLocName=small"), ("GET", "/favicon.ico"),
        ("GET", "/robots.txt"), ("GET", "/static/x.js"), ("POST", "/graphql"), ("GET", "//graphql"),
        ("GET", "/graphql/"), ("POST", "/report_asset_materialization/greeting"),
        ("POST", "/report_asset_check/greeting"),
        ("POST", "/report_asset_observation/greeting"), ("PUT", "/"), ("OPTIONS", "/graphql"),
        ("GET", "/livez/"),
        ("GET", "/sign-in/../graphql"), ("GET", "/sign-in/page.css/x"), ("GET", "/sign-in%2fx"),
    ],
)  # fmt: skip
def test_without_a_session_nothing_opens(page: Page, method: str, path: str) -> None:
    """Nor with a made-up one, a wrong token, or two."""
    for headers in (
        {},
        {"cookie": "neonblue_session=made-up", "origin": page.address},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic dTpw"},
    ):
        answer = page.client().request(method, path, headers=headers, json={"query": QUERY})
        assert answer.status_code in (401, 429), answer.text
        assert answer.json()["errors"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    twice = [("authorization", f"Bearer {SECRET}"), ("authorization", "Bearer x")]
    assert httpx.request(method, page.address + path, headers=twice, trust_env=False).status_code == 400


def test_a_token_that_neither_views_nor_edits_opens_nothing(page: Page, make_token: TokenMaker) -> None:
    answer = page.client(make_token("ingest", "assign")).post("/graphql", json={"query": QUERY})

    assert answer.status_code == 401
    assert "scope viewer" in answer.json()["errors"][0]["message"]


def documents(sensor: str) -> list[Any]:
    stop, field = STOP % sensor, f'stopSensor(id: "{sensor}") {{ __typename }}'
    return [
        {"query": stop},
        {"query": f"query Q {{ version }} {stop}", "operationName": "Stop"},
        {"query": f"{stop} query Q {{ version }}", "operationName": "Q"},
        {"query": f"mutation Stop {{ version: {field} }}"},
        {"query": f"mutation Stop {{ ...F }} fragment F on Mutation {{ {field} }}"},
        [{"query": QUERY}, {"query": stop}],
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}, "id": stop},
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_viewers_mutation_is_refused_however_it_is_hidden(
    page: Page, sensor: dict[str, str], viewer: str, number: int
) -> None:
    for client in (page.client(viewer), signed_in(page, viewer)):
        answer = client.post(
            "/graphql", json=documents(sensor["id"])[number], params={"query": STOP % sensor["id"]}
        )
        assert answer.status_code in (400, 403)
        assert answer.json()["data"] is None
        assert answer.json()["errors"][0]["message"]


def test_a_viewer_looks(page: Page, viewer: str) -> None:
    client = signed_in(page, viewer)

    shown = client.get("/")
    permissions = client.post("/graphql", json={"query": "{ permissions { permission value } }"}).json()[
        "data"
    ]["permissions"]

    assert shown.status_code == 200
    assert "<title" in shown.text
    assert not any(
        one["value"] for one in permissions if one["permission"].startswith(("launch", "stop", "edit"))
    )
    assert client.get("/notebook", params={"path": "/a.ipynb", "repoLocName": "small"}).status_code == 403
    assert client.post("/report_asset_materialization/greeting", json={}).status_code == 403


@pytest.mark.parametrize("way", ["token", "session"])
def test_an_editor_materializes_and_stops_and_starts(
    page: Page, sensor: dict[str, str], editor: str, way: str
) -> None:
    client = page.client(editor) if way == "token" else signed_in(page, editor)

    def ask(query: str) -> dict[str, Any]:
        answer = client.post("/graphql", json={"query": query})
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    run = ask(LAUNCH)["launchRun"]["run"]["runId"]
    status = f'{{ runOrError(runId: "{run}") {{ ... on Run {{ status }} }} }}'
    until(lambda: ask(status)["runOrError"]["status"] == "SUCCESS", "the asset is materialized")

    assert ask(STOP % sensor["id"])["stopSensor"]["__typename"] == "StopSensorMutationResult"
    assert page.sensor()["status"] == "STOPPED"
    ask(START)


def listen(page: Page, host: str = "", **headers: str) -> ClientConnection:
    """A WebSocket of the page, by its own name or as `host`."""
    served = urlsplit(page.address)
    reached = socket.create_connection((served.hostname, served.port))
    origin: Any = headers.pop("origin", None)
    protocols: Any = ["graphql-ws"]
    return connect(
        f"ws://{host or served.netloc}/graphql",
        sock=reached,
        origin=origin,
        additional_headers=headers,
        subprotocols=protocols,
    )


def started(client: ClientConnection, kind: str, query: str) -> dict[str, Any]:
    client.send(json.dumps({"type": kind, "id": "1", "payload": {"query": query}}))
    answer: dict[str, Any] = json.loads(client.recv(20))
    return answer


def test_a_websocket_needs_a_session_and_the_pages_own_origin(page: Page, editor: str) -> None:
    cookie = f"neonblue_session={signed_in(page, editor).cookies['neonblue_session']}"
    for headers in (
        {},
        {"cookie": cookie},
        {"cookie": cookie, "origin": "http://evil.example"},
        {"cookie": "neonblue_session=made-up", "origin": page.address},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Bearer {editor}", "origin": "http://localhost:8000"},
        {"cookie": cookie, "origin": page.address, "host": "evil.example"},
    ):
        with pytest.raises(InvalidStatus) as refused:
            listen(page, **headers)
        assert refused.value.response.status_code == 403
    with listen(page, cookie=cookie, origin=page.address) as client:
        client.send('{"type": "connection_init"}')
        assert json.loads(client.recv(20)) == {"type": "connection_ack"}


@pytest.mark.parametrize("kind", ["start", "subscribe"])
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_a_websocket_carries_no_mutation(
    page: Page, sensor: dict[str, str], request: pytest.FixtureRequest, kind: str, who: str
) -> None:
    with listen(page, authorization=f"Bearer {request.getfixturevalue(who)}") as client:
        for query in (STOP % sensor["id"], f"subscription S {{ a }} {STOP % sensor['id']}"):
            answer = started(client, kind, query)
            assert (answer["type"], answer["id"]) == ("error", "1")
            assert "POST" in answer["payload"]["message"]


@pytest.mark.parametrize(
    "text", ['[{"type": "start"}]', "no json", '{"type": "start", "payload": {}}', '{"type": "x"}']
)
def test_a_message_of_no_known_form_closes_the_websocket(page: Page, viewer: str, text: str) -> None:
    with listen(page, authorization=f"Bearer {viewer}") as client:
        client.send(text)
        with pytest.raises(ConnectionClosed):
            client.recv(20)


def test_a_revoked_token_is_out_within_seconds_and_its_websocket_closes(
    page: Page, whole_api: httpx.Client
) -> None:
    made = whole_api.post("/v1/tokens", json={"name": "leaver", "scopes": ["editor"]}).json()
    client, asked = signed_in(page, made["secret"]), {"query": QUERY}
    with listen(page, authorization=f"Bearer {made['secret']}") as open_one:
        assert client.post("/graphql", json=asked).status_code == 200

        whole_api.delete(f"/v1/tokens/{made['id']}").raise_for_status()

        until(lambda: client.post("/graphql", json=asked).status_code == 401, "the session is out", 15)
        with pytest.raises(ConnectionClosed):
            open_one.recv(20)
