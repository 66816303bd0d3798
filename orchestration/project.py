"""Where the dbt project is, how it reaches ClickHouse, and its manifest."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from neonblue.files import Folder, folder
from neonblue.settings import Settings

_SUFFIXES = {".sql", ".yml", ".yaml"}


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that `profiles.yml` reads, and where dbt writes: the data folder, never the project."""
    address = urlsplit(settings.clickhouse.address)
    secure = address.scheme == "https"
    return {
        "NEONBLUE_DBT_HOST": address.hostname or "127.0.0.1",
        "NEONBLUE_DBT_PORT": str(address.port or (8443 if secure else 8123)),
        "NEONBLUE_DBT_SECURE": str(secure).lower(),
        "NEONBLUE_DBT_USER": settings.clickhouse.user,
        "NEONBLUE_DBT_PASSWORD": settings.clickhouse.password.get_secret_value(),
        "NEONBLUE_DBT_SCHEMA": settings.clickhouse.database,
        "DBT_TARGET_PATH": str(target_path(settings)),
        "DBT_LOG_PATH": str(settings.data_dir / "dbt" / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def project_path() -> Path:
    """The folder of the dbt project."""
    return folder(Folder.DBT_PROJECT)


def target_path(settings: Settings) -> Path:
    """Where dbt writes its manifest and its run results."""
    return settings.data_dir / "dbt" / "target"


def prepare_manifest(settings: Settings) -> Path:
    """The manifest's path, made anew with `dbt parse` where it is missing or older than the project.

    Several processes may ask at once; one parses and the others wait. Raises ``RuntimeError`` with dbt's
    own words when the project does not parse.
    """
    manifest = target_path(settings) / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with (manifest.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not manifest.exists() or manifest.stat().st_mtime < _newest_change():
            _parse(settings)
    return manifest


def _newest_change() -> float:
    files = (path for path in project_path().rglob("*") if path.suffix in _SUFFIXES)
    return max(path.stat().st_mtime for path in files)


def dbt_executable() -> str:
    """dbt beside the running Python."""
    return str(Path(sys.executable).parent / "dbt")


def _parse(settings: Settings) -> None:
    run = subprocess.run(
        [
            dbt_executable(),
            "--quiet",
            "parse",
            "--project-dir",
            project_path(),
            "--profiles-dir",
            project_path(),
        ],
        env={**os.environ, **dbt_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"the dbt project does not parse:\n{run.stdout}{run.stderr}")
