"""The users that services run as where root starts the stack."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from neonblue.stack.processes import accounts
from neonblue.stack.processes.command import Account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts services as other users")
NOBODY = Account("nobody", uid=65534, gid=65534)


@as_root
def test_a_folder_is_handed_over_whole_and_nothing_beyond_it(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "part").touch()
    (folder / "link").symlink_to(outside)
    (folder / "deep" / "link").symlink_to(outside / "file")

    accounts.hand_over(folder, NOBODY)

    inside = [folder, *folder.rglob("*")]
    assert {path.lstat().st_uid for path in inside} == {NOBODY.uid}
    assert {outside.stat().st_uid, (outside / "file").stat().st_uid} == {0}


@as_root
def test_a_program_that_others_may_not_execute_stays_roots_and_the_log_says_why(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.touch(0o700)
    with capture_logs() as lines:
        account = accounts.own_account("clickhouse", "nobody", tmp_path, program)

    assert account is None
    assert tmp_path.stat().st_uid == 0
    assert lines[0]["event"] == "no_user_of_its_own"
    assert "can't be executed by nobody" in lines[0]["reason"]


@as_root
def test_a_machine_that_makes_no_users_runs_the_service_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts.shutil, "which", lambda *_, **__: None)
    with capture_logs() as lines:
        account = accounts.own_account("clickhouse", "no-such-user-here", tmp_path, Path(sys.executable))

    assert account is None
    assert "no useradd" in lines[0]["reason"]


@as_root
def test_without_a_capability_to_give_only_what_the_user_reaches_by_itself_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_held", lambda _: False)
    folder = tmp_path / "closed" / "clickhouse"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    with capture_logs() as lines:
        account = accounts.own_account("clickhouse", "nobody", folder, Path("/bin/true"))

    assert account is None
    assert "can't be reached by nobody" in lines[0]["reason"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root has other users to offer")
def test_who_is_not_root_runs_everything_as_himself(tmp_path: Path) -> None:
    assert accounts.own_account("clickhouse", "nobody", tmp_path, Path(sys.executable)) is None
