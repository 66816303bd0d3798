"""Settings that are wrong: a sentence for each, that names it, its place, the rule, and never a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neonblue.settings import ENVIRONMENT_FILE, Settings, SettingsError, folder_of
from neonblue.settings.faults import setting_fields


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEONBLUE_"):
            monkeypatch.delenv(name)


def refusal(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.load(folder)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("NEONBLUE_API_PORT", "99999", "'99999' (in the environment): a number from 1 to 65535 is wanted"),
        (
            "NEONBLUE_API_PORT",
            "http",
            "'http' (in the environment): a whole number from 1 to 65535 is wanted",
        ),
        ("NEONBLUE_API_WORKERS", "1.5", "a whole number from 1 to 64 is wanted"),
        ("NEONBLUE_RETENTION_EVENTS_DAYS", "1", "a number of 8 or more, or 0, which keeps all, is wanted"),
        ("NEONBLUE_API_OUTBOX_BATCHES", "maybe", "true or false is wanted"),
        ("NEONBLUE_API_RATE_LIMIT_WHEN_UNAVAILABLE", "shut", "one of 'open' or 'closed' is wanted"),
        ("NEONBLUE_API_URL", "localhost:8000", "an address such as http://127.0.0.1:8123 is wanted"),
        ("NEONBLUE_POSTGRES_URL", "host=db", "an address such as postgresql://"),
        ("NEONBLUE_VALKEY_URL", "10.0.0.1", "an address such as redis://"),
        ("NEONBLUE_KAFKA_BOOTSTRAP_SERVERS", "kafka", "is wanted"),
        ("NEONBLUE_KAFKA_TOPIC", "a b", "is wanted"),
        ("NEONBLUE_ALERT_URLS", "slack://x", "JSON is wanted"),
        ("NEONBLUE_API", "{", "JSON is wanted"),
    ],
)
def test_a_wrong_value_is_one_sentence(
    name: str, value: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    (sentence,) = refusal(tmp_path)

    assert sentence.startswith(f"{name} is ")
    assert rule in sentence
    assert "change" in sentence


@pytest.mark.parametrize(("age", "kept"), [(None, "91"), ("90", "8"), ("7", "8"), ("400", "401")])
def test_events_are_not_dropped_while_others_of_their_day_are_accepted(
    age: str | None, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_RETENTION_EVENTS_DAYS", kept)
    if age is not None:
        monkeypatch.setenv("NEONBLUE_API_MAX_EVENT_AGE_DAYS", age)
    least = int(age or 90) + 2

    assert refusal(tmp_path) == [
        f"NEONBLUE_RETENTION_EVENTS_DAYS is '{kept}' (in the environment): {least} or more, or 0, which keeps all, is "
        f"wanted where NEONBLUE_API_MAX_EVENT_AGE_DAYS is {age or 90}, since events of that age are accepted; change "
        "one of them"
    ]

    for allowed in (least, 0):
        monkeypatch.setenv("NEONBLUE_RETENTION_EVENTS_DAYS", str(allowed))
        assert Settings.load(tmp_path).retention.events_days == allowed


def test_every_wrong_value_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONBLUE_API_PORT", "0")
    monkeypatch.setenv("NEONBLUE_KAFKA_PORT", "x")

    assert [line.split()[0] for line in refusal(tmp_path)] == ["NEONBLUE_KAFKA_PORT", "NEONBLUE_API_PORT"]


def test_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT_FILE).write_text("# mine\n\nNEONBLUE_API_PORT=99999\n")

    (sentence,) = refusal(tmp_path)

    assert f"(in {tmp_path / ENVIRONMENT_FILE}, line 3)" in sentence


@pytest.mark.parametrize("line", ["NEONBLUE_API_PORT 9000", "NEONBLUE_API_PORT", "=", "'"])
def test_a_line_that_sets_nothing_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT_FILE).write_text(f"NEONBLUE_KAFKA_PORT=9\n{line}\n")

    (sentence,) = refusal(tmp_path)

    assert "line 2: it is not of the form NAME=value" in sentence


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT_FILE).write_bytes(b"NEONBLUE_API_TOKEN=\xff\n")

    (sentence,) = refusal(tmp_path)

    assert "not UTF-8" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEONBLUE_POSTGRES_URL", "mysql://someone:hidden@host/x"),
        ("NEONBLUE_API_URL", "ftp://someone:hidden@host/x"),
        ("NEONBLUE_ALERT_URLS", "slack://hidden"),
        ("NEONBLUE_API", '{"token": "hidden", "port": "x"}'),
        ("NEONBLUE_API_TOKN", "hidden"),
        ("NEONBLUE_SECRET", "hidden"),
    ],
)
def test_no_secret_is_shown(name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    try:
        Settings.load(tmp_path)
        told = " ".join(unknown.sentence for unknown in Settings.unknown(tmp_path))
    except SettingsError as error:
        told = str(error)

    assert told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("name", "nearest", "claims"),
    [
        ("NEONBLUE_API_PROT", "NEONBLUE_API_PORT", True),
        ("NEONBLUE_POSTGRESS_PASSWORD", "NEONBLUE_POSTGRES_PASSWORD", True),
        ("NEONBLUE_RETENTION_EVENT_DAYS", "NEONBLUE_RETENTION_EVENTS_DAYS", True),
        ("NEONBLUE_DATADIR", "NEONBLUE_DATA_DIR", True),
        ("NEONBLUE_KAFKA_ZZZ", None, True),
        ("NEONBLUE_TEAM_NAME", None, False),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(
    name: str, nearest: str | None, claims: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")

    (unknown,) = Settings.unknown(tmp_path)

    assert (unknown.given.name, unknown.nearest, unknown.claims) == (name, nearest, claims)
    assert f"{name} (in the environment) is not a setting" in unknown.sentence
    assert Settings.load(tmp_path) == Settings.load(tmp_path)


def test_every_setting_and_what_the_stack_gives_to_others_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*setting_fields(Settings), "NEONBLUE_CDC_HOST", "NEONBLUE_DBT_SCHEMA", "NEONBLUE_API"):
        monkeypatch.setenv(name, "")

    assert Settings.unknown(tmp_path) == ()


def test_an_empty_variable_counts_as_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_fields(Settings):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")

    settings = Settings.load(tmp_path)

    assert settings.api.port == 8000
    assert not settings.postgres.external
    assert settings.cache_dir == Path.home() / ".cache" / "neonblue"
    assert folder_of(None) == Path.cwd() / ".neonblue"


def test_folders_are_absolute_and_know_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEONBLUE_CACHE_DIR", "cache")
    assert Settings.load(tmp_path).cache_dir == Path.cwd() / "cache"
    assert folder_of(Path("~/data")) == Path.home() / "data"


def test_a_user_without_a_home_has_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    assert Settings.load(tmp_path).cache_dir.is_absolute()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_another_user_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / ENVIRONMENT_FILE
    file.write_text("")
    file.chmod(0)

    (sentence,) = refusal(tmp_path)

    assert "run this as the user who started the stack" in sentence
