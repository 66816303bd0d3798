"""Where the dbt project is, how it reaches ClickHouse, and its manifest."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from neonblue.files import Folder, folder
from neonblue.settings import Settings

_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".py"}
_NOT_SOURCES = {"target", "logs", "dbt_packages"}


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The project, the variables that its profile reads, and where dbt writes: the data folder, never the project."""
    at = settings.clickhouse.endpoint
    return {
        "NEONBLUE_DBT_HOST": at.host,
        "NEONBLUE_DBT_PORT": str(at.port),
        "NEONBLUE_DBT_SECURE": str(at.secure).lower(),
        "NEONBLUE_DBT_USER": settings.clickhouse.user,
        "NEONBLUE_DBT_PASSWORD": settings.clickhouse.password.get_secret_value(),
        "NEONBLUE_DBT_SCHEMA": settings.clickhouse.database,
        # What the packages.yml of a project that has this one as a package reads.
        "NEONBLUE_DBT_PROJECT": str(project_path()),
        "DBT_PROJECT_DIR": str(project_path()),
        "DBT_PROFILES_DIR": str(profiles_path()),
        "DBT_TARGET_PATH": str(target_path(settings)),
        "DBT_LOG_PATH": str(settings.data_dir / "dbt" / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def project_path() -> Path:
    """The folder of the dbt project."""
    return folder(Folder.DBT_PROJECT)


def profiles_path() -> Path:
    """The folder of the profile that takes everything from `dbt_environment`."""
    return project_path() / "profile"


def target_path(settings: Settings) -> Path:
    """Where dbt writes its manifest and its run results."""
    return settings.data_dir / "dbt" / "target"


def prepare_manifest(settings: Settings) -> Path:
    """The manifest's path, made anew with `dbt parse` where it is missing or older than the project.

    Several processes may ask at once; one parses and the others wait. Raises ``RuntimeError`` with dbt's
    own words when the project does not parse.
    """
    return fresh_manifest(target_path(settings), (project_path(),), lambda: parse(dbt_environment(settings)))


def fresh_manifest(target: Path, sources: Iterable[Path], make: Callable[[], None]) -> Path:
    """The manifest in `target`, after `make` where it is missing or older than a file of `sources`."""
    manifest = target / "manifest.json"
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not manifest.exists() or manifest.stat().st_mtime < max(map(_newest_change, sources)):
            make()
    return manifest


def _newest_change(project: Path) -> float:
    # A link is the running stack's profile, which may be gone, or a package, which is a source of its own.
    files = (
        path
        for path in project.rglob("*")
        if path.suffix in _SUFFIXES
        and not path.is_symlink()
        and not _NOT_SOURCES & set(path.relative_to(project).parts)
    )
    return max((path.stat().st_mtime for path in files), default=0.0)


def dbt_executable() -> str:
    """dbt beside the running Python."""
    return str(Path(sys.executable).parent / "dbt")


def parse(variables: dict[str, str]) -> None:
    """`dbt parse` with these variables. Raises ``RuntimeError`` with dbt's own words when it fails."""
    run = subprocess.run(
        [dbt_executable(), "--quiet", "parse"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"the dbt project does not parse:\n{said(run)}")


def said(run: subprocess.CompletedProcess[str]) -> str:
    """What a process printed."""
    return f"{run.stdout}{run.stderr}".strip()
