"""The stream that an open page follows: who may, what it tells, when it ends, and that it holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.api.access.conftest import TokenMaker
from tests.integration.api.access.test_pages import Browser, browser
from tests.integration.api.conftest import TOKEN, Server
from tests.integration.api.fleet import running_process
from tests.integration.api.life_cycle import draft, patch, started, step

STREAM = {"accept": "text/event-stream"}


@pytest.fixture
def viewer(whole_api: httpx.Client, make_token: TokenMaker) -> Iterator[Browser]:
    with browser(whole_api) as person:
        assert person.log_in(make_token("viewer")).status_code == 303
        yield person


def events(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """Each event's name and data."""
    name, data = "", []
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and name:
            yield name, "\n".join(data)
            name, data = "", []


def test_only_who_may_see_the_page_follows_it(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    path = f"/experiments/{draft(whole_api)['key']}/live"
    with httpx.Client(base_url=whole_api.base_url, trust_env=False) as nobody:
        assert nobody.get(path, headers=STREAM).status_code == 401
        ingesting = {"authorization": f"Bearer {make_token('ingest')}"}
        assert nobody.get(path, headers=STREAM | ingesting).status_code == 403


def test_what_is_changed_is_told(viewer: Browser, whole_api: httpx.Client) -> None:
    made = draft(whole_api)
    path = f"/experiments/{made['key']}/live?version={made['version']}"
    with viewer.client.stream("GET", path, headers=STREAM) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer)
        name, sections = next(told)
        assert name == "numbers"
        assert 'id="decision"' in sections
        assert "<form" not in sections
        assert "csrf" not in sections
        assert patch(whole_api, made, {"hypothesis": "It helps."}).status_code == 200
        assert next(told) == ("version", str(made["version"] + 1))


def test_a_page_that_was_opened_before_a_change_hears_of_it_at_once(
    viewer: Browser, whole_api: httpx.Client
) -> None:
    made = started(whole_api)
    path = f"/experiments/{made['key']}/live?version={made['version'] - 1}"
    with viewer.client.stream("GET", path, headers=STREAM) as answer:
        assert next(events(answer)) == ("version", str(made["version"]))


def test_what_is_no_more_ends(viewer: Browser, whole_api: httpx.Client) -> None:
    made = draft(whole_api)
    with viewer.client.stream("GET", f"/experiments/{made['key']}/live", headers=STREAM) as answer:
        told = events(answer)
        next(told)
        whole_api.delete(
            f"/v1/experiments/{made['key']}", headers={"if-match": f'"{made["version"]}"'}
        ).raise_for_status()
        assert [name for name, _ in told][-1] == "ended"
    with viewer.client.stream("GET", "/experiments/nothing-of-this-name/live", headers=STREAM) as answer:
        assert list(events(answer)) == [("ended", "ended")]


def test_it_ends_soon_after_its_session(viewer: Browser, whole_api: httpx.Client) -> None:
    made = draft(whole_api)
    with viewer.client.stream("GET", f"/experiments/{made['key']}/live", headers=STREAM) as answer:
        told = events(answer)
        next(told)
        page = viewer.open("/experiments").text
        csrf = page.split('name="csrf" value="')[1].partition('"')[0]
        assert viewer.post("/logout", {"csrf": csrf}).status_code == 303
        began = time.monotonic()
        assert [name for name, _ in told][-1] == "ended"
        assert time.monotonic() - began < 30


def test_an_open_page_keeps_no_session_alive(start_api: Any, make_token: TokenMaker) -> None:
    with start_api(session_idle_seconds="6") as api, browser(api) as person:
        assert person.log_in(make_token("viewer")).status_code == 303
        made = draft(api)
        with person.client.stream("GET", f"/experiments/{made['key']}/live", headers=STREAM) as answer:
            assert [name for name, _ in events(answer)][-1] == "ended"


def test_a_process_that_ends_waits_for_no_open_page_and_tells_none_that_it_is_over(
    postgres: Server, tmp_path: Path
) -> None:
    with running_process(postgres, tmp_path) as (api, process):
        made = started(api)
        headers = STREAM | {"authorization": f"Bearer {TOKEN}"}

        def follow() -> list[str]:
            path = f"/experiments/{made['key']}/live?version={made['version']}"
            with api.stream("GET", path, headers=headers) as answer:
                return [name for name, _ in events(answer)]

        with ThreadPoolExecutor(10) as pool:
            following = [pool.submit(follow) for _ in range(10)]
            time.sleep(2)
            assert not any(one.done() for one in following)
            assert step(api, made["key"], "pause").status_code == 200
            process.terminate()
            began = time.monotonic()
            process.wait(30)
            taken = time.monotonic() - began
            told = [one.result(timeout=10) for one in following]
        assert taken < 8, "it waited for the pages"
        assert not any("ended" in names for names in told)
