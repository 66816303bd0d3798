"""The start page and the documentation: never blank, and whole without any other host."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.app import create_app
from api.web.assets import HTMX, HTMX_SSE, SWAGGER_UI, WebJar, are_there
from api.web.shared.frame import POLICY
from neonblue.settings import Settings
from neonblue.stack.jvm.jars import locked

Get = Callable[..., httpx.Response]
HTML = {"accept": "text/html,application/xhtml+xml"}
REFERENCE = re.compile(r'(?:src|<link [^>]*href)="([^"]+)"')


@pytest.fixture
def get(tmp_path: Path) -> Get:
    app = create_app(Settings(cache_dir=tmp_path, data_dir=tmp_path))

    def ask(path: str, **headers: str) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(send())

    return ask


@pytest.fixture
def swagger_ui(tmp_path: Path) -> Path:
    return packed(tmp_path, SWAGGER_UI, "index.html")


def packed(folder: Path, jar: WebJar, *others: str) -> Path:
    """The WebJar as it is in a cache folder, with each file saying its place."""
    path = folder / jar.path
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        for place in (*jar.files.values(), *others):
            file.writestr(f"META-INF/resources/webjars/{jar.name}/{jar.version}/{place}", place)
    return path


def check_whole(get: Get, page: httpx.Response) -> None:
    """Whatever the page loads comes from here, and its policy lets nothing else in."""
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy == POLICY
    assert not re.search(r"<style|<script>|style=|onload=|//", page.text.replace("http://127.0.0.1", ""))
    found = REFERENCE.findall(page.text)
    assert found
    for reference in found:
        answer = get(f"/{reference.lstrip('/')}")
        assert answer.status_code == 200, reference
        assert answer.content
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("jar", [SWAGGER_UI, HTMX, HTMX_SSE], ids=lambda jar: jar.name)
def test_the_lock_names_the_webjars_that_are_served(jar: WebJar) -> None:
    (artifact,) = (artifact for artifact in locked() if artifact.name == jar.name)
    assert Path("jars") / artifact.path == Path(jar.path)
    assert not artifact.on_class_path


def test_what_pages_run_comes_from_the_webjars_once_they_are_there(get: Get, tmp_path: Path) -> None:
    names = ("htmx.min.js", "sse.js")
    assert not are_there(tmp_path)
    assert [get(f"/assets/{name}").status_code for name in names] == [404, 404]
    packed(tmp_path, HTMX)
    assert not are_there(tmp_path)
    packed(tmp_path, HTMX_SSE)
    assert are_there(tmp_path)
    answers = [get(f"/assets/{name}") for name in names]
    assert [answer.text for answer in answers] == ["dist/htmx.min.js", "sse.js"]
    assert {answer.headers["content-type"] for answer in answers} == {"text/javascript; charset=utf-8"}


@pytest.mark.usefixtures("swagger_ui")
def test_the_documentation_is_swagger_ui_from_this_host(get: Get) -> None:
    page = get("/docs", **HTML)
    check_whole(get, page)
    assert '<div id="swagger-ui">' in page.text
    assert get("/docs/swagger-ui.css").headers["content-type"] == "text/css; charset=utf-8"
    assert get("/docs/index.html").status_code == 404


@pytest.mark.parametrize("damaged", [False, True])
def test_without_swagger_ui_the_documentation_lists_every_call_and_says_what_is_missing(
    get: Get, tmp_path: Path, damaged: bool
) -> None:
    if damaged:
        (tmp_path / SWAGGER_UI.path).parent.mkdir(parents=True)
        (tmp_path / SWAGGER_UI.path).write_bytes(b"half of it")
    page = get("/docs", **HTML)
    check_whole(get, page)
    assert SWAGGER_UI.path in page.text
    assert "neonblue up" in page.text
    paths = get("/openapi.json").json()["paths"]
    assert "/v1/experiments/{key}" in paths
    assert [path for path in paths if f" {path}</code>" not in page.text] == []


def test_the_start_page_leads_people_to_the_experiments_and_is_json_for_programs(get: Get) -> None:
    page = get("/", **HTML)
    assert (page.status_code, page.headers["location"]) == (303, "/experiments")
    document = get("/").json()
    assert get("/v1").status_code == 401
    assert document["links"]["dagster"]
    for name in ("experiments", "documentation", "health"):
        assert get(document["links"][name]).status_code != 404
    assert get("/").headers["vary"] == page.headers["vary"] == "accept"


def test_whoever_is_not_logged_in_is_led_to_the_log_in_and_back(get: Get) -> None:
    for path in ("/experiments", "/experiments/checkout", "/experiments?text=a%20b&tag=c"):
        led = get(path, **HTML)
        assert led.status_code == 303
        place = urlsplit(led.headers["location"])
        assert (place.path, parse_qs(place.query)) == ("/login", {"next": [path]})
        assert get(path).json()["code"] == "missing_token"


def test_the_log_in_is_whole_without_scripts(get: Get) -> None:
    page = get("/login?next=/experiments/checkout", **HTML)
    check_whole(get, page)
    assert "<script" not in page.text
    assert '<input type="hidden" name="next" value="/experiments/checkout">' in page.text


def test_a_refusal_is_a_page_for_people_and_a_problem_for_programs(get: Get) -> None:
    page = get("/nowhere", **HTML)
    assert page.status_code == 404
    assert page.headers["content-security-policy"] == POLICY
    assert "There is no such page" in page.text
    assert page.headers["x-request-id"] in page.text
    for asked in (get("/nowhere"), get("/v1/nowhere", **HTML)):
        assert asked.headers["content-type"] == "application/problem+json"
    assert get("/nowhere").status_code == 404


@pytest.mark.parametrize(
    "path", ["/assets/pages.py", "/assets/..%2fpages.py", "/docs/..%2f..%2fx.css", "/redoc"]
)
def test_no_other_file_is_served(get: Get, path: str) -> None:
    assert get(path).status_code == 404


def test_the_icon_is_our_own(get: Get) -> None:
    assert get("/favicon.ico").content == get("/favicon.svg").content
    assert get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")
