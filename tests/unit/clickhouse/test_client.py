"""One way to ClickHouse: the same port, user and database for whoever asks it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from pydantic import SecretStr

from api.results.repository import ResultsReader
from neonblue.clickhouse import migrations
from neonblue.clickhouse.client import connect, opened
from neonblue.settings import ClickHouseSettings, Settings
from neonblue.stack.services import dbt_profile
from orchestration.project import dbt_environment

ROOT = Path(__file__).parents[3]
PLACES = {
    "https://ch.example.com": ("ch.example.com", 8443, True),
    "https://ch.example.com:443": ("ch.example.com", 443, True),
    "http://ch.example.com": ("ch.example.com", 8123, False),
    "http://u:p@10.0.0.7:8124/": ("10.0.0.7", 8124, False),
    None: ("127.0.0.1", 18123, False),
}


class Asked:
    """Stands for clickhouse-connect, and keeps how it was asked for a client."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []

    def __call__(self, **options: Any) -> Asked:
        self.options.append(options)
        return self

    def close(self) -> None:
        return None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(clickhouse_connect, "get_client", made)
    return made


def settings(url: str | None) -> ClickHouseSettings:
    return ClickHouseSettings(url=url, user="team", password=SecretStr("own"), database="shop")


@pytest.mark.parametrize("url", PLACES)
def test_whoever_asks_reaches_the_same_place_as_the_same_user(url: str | None, asked: Asked) -> None:
    with connect(settings(url)):
        pass
    ResultsReader(settings(url))._connected()
    with pytest.raises(AttributeError):  # this one answers no query
        migrations.identity(Settings(clickhouse=settings(url)))

    assert len(asked.options) == 3
    for options in asked.options:
        assert (options["host"], options["port"], options["secure"]) == PLACES[url]
        assert (options["username"], options["password"], options["database"]) == ("team", "own", "shop")
        assert options["autogenerate_session_id"] is False


@pytest.mark.parametrize("url", PLACES)
def test_what_is_no_client_of_ours_reaches_it_too(url: str | None) -> None:
    given = Settings(clickhouse=settings(url))
    host, port, secure = PLACES[url]

    parts = urlsplit(given.clickhouse.address)
    assert (parts.hostname, parts.port, parts.scheme == "https") == (host, port, secure)
    variables = dbt_environment(given)
    assert variables["NEONBLUE_DBT_HOST"] == host
    assert variables["NEONBLUE_DBT_PORT"] == str(port)
    assert variables["NEONBLUE_DBT_SECURE"] == str(secure).lower()
    profile = (ROOT / "dbt_project" / "profile" / dbt_profile.PROFILE).read_text()
    assert f"'{port}'" in dbt_profile.filled(profile, given)


def test_a_reader_that_somebody_waits_for_waits_less(asked: Asked) -> None:
    opened(settings(None))
    ResultsReader(settings(None))._connected()

    waits = [(one["connect_timeout"], one["send_receive_timeout"]) for one in asked.options]
    assert waits == [(10, 300), (3, 60)]


def test_no_other_place_makes_a_client() -> None:
    makes = re.compile(
        r"clickhouse_connect\b.*\b(get|create)_(async_)?client\b|import (get|create)_(async_)?client"
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("neonblue", "api", "orchestration")
        for path in (ROOT / package).rglob("*.py")
        if makes.search(path.read_text())
    }

    assert found == {"neonblue/clickhouse/client.py"}
