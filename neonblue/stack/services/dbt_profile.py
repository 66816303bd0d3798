"""dbt's profile of the running stack, so that plain ``dbt run`` in a checkout reaches it."""

from __future__ import annotations

import re
from pathlib import Path

import structlog

from neonblue.files import Folder, folder
from neonblue.settings import Settings
from neonblue.stack.supervisor.folder_lock import holder

log = structlog.get_logger()

PROFILE = "profiles.yml"


def write(settings: Settings) -> Path:
    """Write the profile into the data folder (mode 0600: it holds the password); link a checkout's project to it."""
    path = profile_folder(settings.data_dir) / PROFILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(filled((folder(Folder.DBT_PROJECT) / "profile" / PROFILE).read_text(), settings))
    _link(path)
    return path


def profile_folder(data_dir: Path) -> Path:
    """Where the stack's profile lies: what ``--profiles-dir`` takes."""
    return data_dir / "dbt"


def filled(profile: str, settings: Settings) -> str:
    """The project's profile with this stack's values as the defaults; environment variables still come first."""
    at = settings.clickhouse.endpoint
    values = {
        "NEONBLUE_DBT_HOST": at.host,
        "NEONBLUE_CLICKHOUSE_PORT": str(at.port),
        "NEONBLUE_DBT_SECURE": str(at.secure).lower(),
        "NEONBLUE_CLICKHOUSE_USER": settings.clickhouse.user,
        "NEONBLUE_CLICKHOUSE_PASSWORD": settings.clickhouse.password.get_secret_value(),
        "NEONBLUE_CLICKHOUSE_DATABASE": settings.clickhouse.database,
    }
    for name, value in values.items():
        before, _, after = re.split(rf"(?<=env_var\('{name}', )('[^']*')", profile)
        profile = before + _literal(value) + after
    return profile


def _literal(value: str) -> str:
    """A text of Jinja's, inside a quoted one of YAML's."""
    jinja = value.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + jinja.replace("\\", "\\\\").replace('"', '\\"') + "'"


def _link(profile: Path) -> None:
    """Let a checkout's project lead to this stack, unless it leads to another one that runs."""
    project = folder(Folder.DBT_PROJECT)
    link = project / PROFILE
    if project.parent.name == "_files" or (link.exists() and not link.is_symlink()):
        return
    if link.is_symlink():
        other = link.readlink().parent.parent
        if other != profile.parent.parent and holder(other) is not None:
            return
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(profile)
    except OSError as error:  # a checkout that can't be written: `neonblue dbt` needs no link
        log.info("dbt_profile_not_linked", reason=str(error))
