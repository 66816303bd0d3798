"""The system users that services run as when root starts the stack, and what such a user can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import structlog

from neonblue.stack.errors import RequirementError
from neonblue.stack.processes.command import Account

_log = structlog.get_logger("neonblue.stack")

_PASSING = (2, 1)
"""Capabilities that let another user than root through closed folders: CAP_DAC_READ_SEARCH, which goes no further than
reading, and CAP_DAC_OVERRIDE, which is what a container's root has of the two."""
_EFFECTIVE = "CapEff:"


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


def own_account(service: str, name: str, folder: Path, program: Path) -> Account | None:
    """The user `name` for a service that can do without one, with `folder` and all in it made its own.

    None where this process is not root's; and, with a line in the log that says why, where this machine has no such
    user to offer.
    """
    if os.geteuid() != 0:
        return None
    try:
        account = passing_account(name, program)
        if account.capability is None and not reachable(folder.parent, account):
            raise RequirementError(f"{folder} can't be reached by {name}")
        hand_over(folder, account)
    except (OSError, RequirementError) as error:
        _log.warning("no_user_of_its_own", node=service, user=name, reason=str(error))
        return None
    _log.info("user_of_its_own", node=service, user=name)
    return account


def passing_account(name: str, program: Path) -> Account:
    """The user `name`, for root, with the capability to pass closed folders where root has one to give.

    It needs that: above its own folder there is the data folder, which is root's alone, and `program` may lie in
    root's home. Raises ``RequirementError`` where the user can't execute `program`.
    """
    account = account_for(name)
    if account is None or not _may_execute(program, account):
        raise RequirementError(f"{program} can't be executed by {name}")
    capability = next((one for one in _PASSING if _held(one)), None)
    if capability is None and not reachable(program, account):
        raise RequirementError(f"{program} can't be reached by {name}")
    return replace(account, capability=capability)


def _held(capability: int) -> bool:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(_EFFECTIVE))
    return bool(int(line.removeprefix(_EFFECTIVE), 16) >> capability & 1)


def _may_execute(program: Path, account: Account) -> bool:
    status = program.resolve().stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & stat.S_IXOTH and status.st_mode & stat.S_IROTH)


def hand_over(folder: Path, account: Account) -> None:
    """Make `folder` and all in it `account`'s: an earlier version, or an earlier start, ran as another user.

    Follows no link, so that nothing beyond the folder can be slipped in. Raises OSError.
    """
    os.chown(folder, account.uid, account.gid)
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if (found.st_uid, found.st_gid) != (account.uid, account.gid):
                os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)


def _create(name: str) -> None:
    program = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise RequirementError(
            f"there is no useradd to make the system user {name}, whom root starts services as: "
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
