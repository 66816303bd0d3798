"""The data folder, closed to other users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from neonblue.files import write_private
from neonblue.settings import Settings, SettingsError
from neonblue.stack import folders
from neonblue.stack.services.postgres import CONFIGURATION_FILE, Postgres
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import logs


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    found = [folder, *folder.rglob("*")]
    return {
        str(path.relative_to(folder))
        for path in found
        if not path.is_symlink() and path.stat().st_mode & 0o077
    }


def folder_of_the_version_before(path: Path) -> Path:
    """As it was made under the usual umask."""
    for name in ("logs", "dbt/target", "dagster/storage", "clickhouse/store", "reports"):
        (path / name).mkdir(parents=True)
    for name in (
        "logs/api.log",
        "logs/api.log.1",
        "dbt/target/manifest.json",
        "clickhouse/store/part",
        "reports/a.html",
    ):
        (path / name).write_text("x")
    (path / "neonblue.env").touch(0o600)
    (path / "processes.json").touch()
    return path


def test_a_new_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folders.require(tmp_path / "data")

    assert open_to_others(tmp_path / "data") == set()


def test_a_data_folder_of_the_version_before_is_closed_with_all_that_is_in_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch(0o644)
    data = folder_of_the_version_before(tmp_path / "data")
    (data / "dbt" / "link").symlink_to(outside)
    (data / "dbt" / "script").touch(0o755)

    folders.require(data)

    assert open_to_others(data) == set()
    assert outside.stat().st_mode & 0o777 == 0o644
    assert (data / "dbt" / "script").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_holds_its_owners_own_files_keeps_its_mode_and_theirs(tmp_path: Path) -> None:
    home = folder_of_the_version_before(tmp_path / "home")
    (home / "letter.txt").touch(0o644)

    folders.require(home)

    assert open_to_others(home) == {".", "letter.txt"}


def test_a_file_that_a_crash_left_half_written_keeps_no_data_folder_open(tmp_path: Path) -> None:
    data = folder_of_the_version_before(tmp_path / "data")
    (data / "neonblue.env.tmp").touch(0o600)

    folders.require(data)

    assert open_to_others(data) == set()


def test_a_link_in_place_of_postgresqls_configuration_is_not_followed(tmp_path: Path) -> None:
    """Root writes it into a folder of the server's own user."""
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / CONFIGURATION_FILE).symlink_to(outside)

    Postgres(Settings(data_dir=tmp_path)).configure()

    assert outside.read_text() == "kept"
    assert "listen_addresses" in (tmp_path / "postgres" / CONFIGURATION_FILE).read_text()


def test_logs_are_closed_at_every_start(tmp_path: Path) -> None:
    folders.require(tmp_path)
    (tmp_path / "logs" / "api.log").touch(0o644)

    folders.require(tmp_path)

    assert open_to_others(tmp_path) == set()


def test_the_copy_of_a_log_that_grew_is_closed_too(tmp_path: Path) -> None:
    folders.require(tmp_path)
    log = logs.path(tmp_path, "api")
    with folders.private_files():
        log.write_text("x" * 100)
        logs.limit(log, most=10)

    assert log.with_name("api.log.1").exists()
    assert open_to_others(tmp_path) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_look_into_a_data_folder_is_told_whose_it_is(tmp_path: Path) -> None:
    # Not pytest's own folder: it would be closed already.
    data = Path("/tmp") / f"neonblue-closed-{os.getpid()}"
    folders.require(data)
    os.seteuid(65534)
    try:
        with pytest.raises(
            SettingsError, match=r"it is its owner's alone; run this as the user who started the stack"
        ):
            Settings.load(data)
    finally:
        os.seteuid(0)
        (data / "logs").rmdir()
        data.rmdir()


def test_what_the_stack_remembers_of_the_stream_keeps_no_data_folder_open(tmp_path: Path) -> None:
    data = folder_of_the_version_before(tmp_path / "data")
    StreamMemory(data).topics_are({"events": "1"})
    write_private(data / "stream.json.tmp", "half")

    folders.require(data)

    assert folders.foreign(data) == []
    assert open_to_others(data) == set()
