"""The system user that PostgreSQL runs as when root starts the stack, and what that user can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from neonblue.stack.errors import RequirementError
from neonblue.stack.process import Account


def account_for(name: str) -> Account | None:
    """The user to change to: None unless this process is root's. Makes the user on first need."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _create(name)
        entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def _create(name: str) -> None:
    program = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise RequirementError(
            f"PostgreSQL refuses to run as root, and there is no useradd to make the system user {name}: "
            "make that user, or start NeonBlue as another user than root"
        )
    options = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ]
    done = subprocess.run([program, *options, name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RequirementError(f"the system user {name} can't be made: {done.stderr.strip()}")


def reachable(path: Path, account: Account) -> bool:
    """Whether `account` may enter every folder down to `path`, and `path` itself if it is a folder.

    Follows the permission bits alone; a folder opened by an access list counts as closed, which costs a copy.
    """
    resolved = path.resolve()
    folders = [*resolved.parents, *([resolved] if resolved.is_dir() else [])]
    return all(_may_enter(folder.stat(), account) for folder in folders)


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def owned_folder(path: Path, account: Account | None) -> Path:
    """Make `path` a folder that only `account` (None: this user) may enter."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if account is not None and path.stat().st_uid != account.uid:
        os.chown(path, account.uid, account.gid)
    return path
