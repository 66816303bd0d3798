"""How many requests a second a token may make, and what it is told."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.integration.api.access.conftest import Cache, TokenMaker, bearer, code
from tests.integration.api.fleet import wait_until

EVENT = {"user_id": "u", "event_type": "visit"}


def _ask(api: httpx.Client, headers: dict[str, str], path: str) -> httpx.Response:
    if path == "/v1/events":
        return api.post(path, json=EVENT, headers=headers)
    return api.get(path, headers=headers)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/experiments"])
def test_past_its_limit_a_token_is_told_when_to_come_back(
    whole_api: httpx.Client, make_token: TokenMaker, path: str
) -> None:
    headers = bearer(make_token("admin", rate_limit=5))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _ask(whole_api, headers, path), range(60)))
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(served) >= 5
    assert refused
    for answer in refused:
        assert code(answer) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
    wait_until(lambda: _ask(whole_api, headers, path).status_code == 200, "the token may go on")


def test_every_answer_says_how_much_is_left(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    headers = bearer(make_token("viewer", rate_limit=10))
    for path, status in (("/v1/experiments", 200), ("/v1/experiments/none", 404), ("/v1/tokens", 403)):
        answer = whole_api.get(path, headers=headers)
        assert answer.status_code == status
        assert answer.headers["ratelimit-policy"] == '"token";q=10;w=1'
        assert re.fullmatch(r'"token";r=\d+;t=\d+', answer.headers["ratelimit"])


def test_one_tokens_limit_is_none_of_another(whole_api: httpx.Client, make_token: TokenMaker) -> None:
    greedy, modest = bearer(make_token("viewer", rate_limit=1)), bearer(make_token("viewer", rate_limit=1))
    wait_until(lambda: _ask(whole_api, greedy, "/v1/experiments").status_code == 429, "one is refused")
    assert _ask(whole_api, modest, "/v1/experiments").status_code == 200


def test_processes_share_a_limit(start_api: Any, make_token: TokenMaker) -> None:
    """Two processes let in together what one would: the burst, and what came back meanwhile."""
    limit = 10
    headers = bearer(make_token("viewer", rate_limit=limit))
    with start_api() as one, start_api() as other, ThreadPoolExecutor(8) as pool:
        clients = [one, other] * 100
        started = time.monotonic()
        answers = list(pool.map(lambda api: _ask(api, headers, "/v1/experiments"), clients))
        seconds = time.monotonic() - started
    served = sum(answer.status_code == 200 for answer in answers)
    assert limit <= served <= limit * (1 + seconds) + 1


@pytest.mark.parametrize(("setting", "expected"), [("open", 200), ("closed", 503)])
def test_without_valkey_the_setting_says_whether_requests_pass(
    start_api: Any, valkey: Cache, setting: str, expected: int
) -> None:
    with start_api(rate_limit_when_unavailable=setting) as api:
        assert _ask(api, {}, "/v1/events").status_code == 200
        valkey.stop()
        try:
            wait_until(lambda: _ask(api, {}, "/v1/events").status_code == expected, "the setting holds")
            answers = [_ask(api, {}, "/v1/events") for _ in range(20)]
        finally:
            valkey.start()
        assert {answer.status_code for answer in answers} == {expected}
        if expected == 503:
            assert code(answers[0]) == (503, "rate_limit_unavailable")
        wait_until(lambda: _ask(api, {}, "/v1/events").status_code == 200, "Valkey is asked again")
