"""ClickHouse's files, read by its engine as far as a library of it does."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from neonblue.clickhouse_server import rights
from neonblue.clickhouse_server.limits import QueryLimits
from neonblue.compose import clickhouse, kept
from neonblue.compose.parts import WATCHER, WRITER
from neonblue.monitoring import clickhouse as exporter

EMBEDDED = Path(clickhouse.__file__).parents[1] / "clickhouse_server"
CONFIG, USERS = "secrets/clickhouse-config.xml", "secrets/clickhouse-users.xml"
_ASK = """
import json, sys
from neonblue.clickhouse_server import library
place, questions = sys.argv[1], json.loads(sys.argv[2])
engine = library.load().connect(place)
print(json.dumps([engine.query(one, "TabSeparated").bytes().decode() for one in questions]))
"""


def asked(place: str, *questions: str) -> list[list[str]]:
    """What the engine answers, a list of lines each. In a process of its own: it can be opened once."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK, place, json.dumps(questions)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [answer.splitlines() for answer in json.loads(done.stdout.splitlines()[-1])]


def profile(tree: ElementTree.Element, name: str) -> dict[str, str]:
    found = tree.find(f"profiles/{name}")
    assert found is not None
    return {one.tag: (one.text or "").strip() for one in found if one.tag not in ("constraints", "profile")}


@pytest.fixture(scope="module")
def users(folder: Path) -> ElementTree.Element:
    return ElementTree.parse(folder / USERS).getroot()


def test_the_engine_knows_every_setting_and_reads_every_grant(
    users: ElementTree.Element, tmp_path: Path
) -> None:
    constraints = users.find("profiles/reader/constraints")
    assert constraints is not None
    profiles = ("default", "reader", "watcher")
    named = {one.tag for one in constraints}.union(*(profile(users, name) for name in profiles))
    grants = [str(query.text) for query in users.iter("query")]
    assert len(named) > 150
    assert len(grants) > 30
    known, *formatted = asked(
        str(tmp_path / "engine"),
        "SELECT name FROM system.settings",
        # In a file of users a grant names nobody: it is that user's.
        *(f"SELECT formatQuerySingleLine('{grant} TO somebody')" for grant in grants),
    )
    assert named <= set(known)
    assert all(one[0].startswith("GRANT ") for one in formatted)


def test_the_engine_merges_the_configuration_into_its_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.xml").write_text(
        "<clickhouse><mysql_port>9004</mysql_port><part_log><database>system</database></part_log></clickhouse>"
    )
    (tmp_path / "config.d" / "neonblue.xml").write_bytes((folder / CONFIG).read_bytes())
    macros, memory = asked(
        f"{tmp_path / 'engine'}?config-file={tmp_path / 'config.xml'}",
        "SELECT macro, substitution FROM system.macros ORDER BY macro",
        "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'",
    )
    settings = kept.load(folder).settings
    assert macros == [
        f"kafka_broker_list\tkafka:{settings.kafka.port}",
        f"kafka_group\t{settings.clickhouse.kafka_group}",
        # Without the heartbeats' topic nothing tells how fresh results are.
        f"kafka_topic\t{settings.kafka.topic},{settings.kafka.heartbeat_topic}",
    ]
    assert memory == [str(4 * 1024**3)]


def test_server_settings_are_ones_that_the_engine_has(folder: Path, tmp_path: Path) -> None:
    """Those of the embedded stack's configuration, in both; a name that is misspelt would do nothing."""
    tree = ElementTree.parse(folder / CONFIG).getroot()
    (known,) = asked(str(tmp_path / "engine"), "SELECT name FROM system.server_settings")
    numbers = {
        one.tag
        for one in tree
        if len(one) == 0 and (one.text or "").strip().isdecimal() and "port" not in one.tag
    }
    assert numbers <= set(known)
    assert len(numbers) > 5


def test_the_platforms_profile_is_the_embedded_one(users: ElementTree.Element) -> None:
    embedded = ElementTree.parse(EMBEDDED / "users.xml").getroot()
    ours, theirs = profile(users, "default"), profile(embedded, "default")
    assert set(theirs) <= set(ours)
    for name, value in theirs.items():
        assert value.startswith("${") or ours[name] == value, name


def test_kafka_is_read_as_the_embedded_engine_does(folder: Path) -> None:
    ours, theirs = (
        {one.tag: one.text for one in tree.findall("kafka/*")}
        for tree in (
            ElementTree.parse(folder / CONFIG).getroot(),
            ElementTree.fromstring((EMBEDDED / "config.xml").read_text().replace("${kafka_security}", "")),
        )
    )
    assert theirs.items() <= ours.items()
    assert ours["sasl_username"] == "neonblue-clickhouse"
    assert ours["sasl_mechanism"] == "SCRAM-SHA-512"


def test_a_reader_may_ask_for_less_and_never_for_more(users: ElementTree.Element) -> None:
    limits = QueryLimits(300, 4 * 1024**3 // 8)
    constraints = users.find("profiles/reader/constraints")
    assert constraints is not None
    free = {one.tag: {part.tag: part.text for part in one} for one in constraints}
    assert set(free) == rights.reader().settings - {"readonly"}
    assert all("changeable_in_readonly" in one for one in free.values())
    for name, most in limits.ceilings().items():
        assert (free[name]["min"], free[name]["max"]) == ("1", str(most)), name
    for name in ("max_concurrent_queries_for_user", "max_memory_usage_for_user", "max_query_size"):
        assert name in profile(users, "reader")
        assert name not in free
    assert profile(users, "reader")["readonly"] == "1"


def test_a_reader_reads_of_the_servers_tables_what_the_embedded_front_lets_it_read(
    users: ElementTree.Element, folder: Path
) -> None:
    reader = kept.load(folder).settings.clickhouse.readonly_user
    granted = {str(one.text) for one in users.findall(f"users/{reader}/grants/query")}
    assert {one for one in granted if "system." in one} == {
        f"GRANT SELECT ON system.{name}" for name in rights.reader().system_tables
    }
    assert all(one.startswith("GRANT SELECT ON ") for one in granted)


def test_readers_and_the_api_reach_the_live_views_and_the_exporter_no_row_of_a_person(
    users: ElementTree.Element, folder: Path
) -> None:
    reader = kept.load(folder).settings.clickhouse.readonly_user
    granted = {
        name: {str(one.text) for one in users.findall(f"users/{name}/grants/query")}
        for name in (reader, WRITER, WATCHER)
    }
    assert "GRANT SELECT ON default_live.*" in granted[reader]
    assert any("SELECT" in one and one.endswith("ON default_live.*") for one in granted[WRITER])
    read = {one.rpartition(" ON ")[2] for one in granted[WATCHER] if one.startswith("GRANT SELECT")}
    asked_of = set(re.findall(r"FROM ((?:system\.)?[a-z_]+)", inspect.getsource(exporter)))
    assert {one if "." in one else f"default.{one}" for one in asked_of} == read


def test_the_exporter_has_places_of_its_own(users: ElementTree.Element) -> None:
    assert users.findtext(f"users/{WATCHER}/profile") == "watcher"
    watcher = profile(users, "watcher")
    assert watcher["readonly"] == "1"
    assert int(watcher["max_concurrent_queries_for_user"]) > 0


def test_nobody_enters_without_a_password_of_his_own(users: ElementTree.Element, folder: Path) -> None:
    keeps = kept.load(folder)
    clickhouse_settings = keeps.settings.clickhouse
    passwords: dict[str, Any] = {
        clickhouse_settings.user: clickhouse_settings.password.get_secret_value(),
        clickhouse_settings.readonly_user: clickhouse_settings.readonly_password.get_secret_value(),
        WRITER: keeps.writer,
        WATCHER: keeps.clickhouse_watcher,
    }
    named = users.find("users")
    assert named is not None
    assert {one.tag for one in named} == {"default", *passwords}
    assert named.find("default").attrib == {"remove": "1"}  # type: ignore[union-attr]
    for name, password in passwords.items():
        assert named.findtext(f"{name}/password_sha256_hex") == hashlib.sha256(password.encode()).hexdigest()
        assert named.find(f"{name}/password") is None
    assert len(set(passwords.values())) == 4
