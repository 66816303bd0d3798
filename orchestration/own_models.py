"""A data team's own dbt project, which has NeonBlue's as a package: where it is, its packages, its manifest."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import structlog

from neonblue.settings import Settings
from orchestration.project import (
    dbt_environment,
    dbt_executable,
    fresh_manifest,
    parse,
    project_path,
    said,
)

log = structlog.get_logger("orchestration")

_PACKAGE = "neonblue"
_NAME = re.compile(r"^name:\s*['\"]?([A-Za-z_][A-Za-z0-9_]*)['\"]?\s*(?:#.*)?$", re.MULTILINE)


class OwnProjectError(Exception):
    """The project can't be used. The message says why, and what to do."""


def environment(settings: Settings) -> dict[str, str]:
    """The variables of a dbt process in the project."""
    written = settings.data_dir / "dbt" / "own"
    return dbt_environment(settings) | {
        "DBT_PROJECT_DIR": str(settings.models.project),
        "DBT_TARGET_PATH": str(written / "target"),
        "DBT_LOG_PATH": str(written / "logs"),
    }


def prepared(settings: Settings) -> Path:
    """The project's folder, with its packages installed. Raises ``OwnProjectError``."""
    folder = settings.models.project
    if folder is None:
        raise OwnProjectError(
            "NEONBLUE_MODELS_PROJECT names no project: put it into neonblue.env, such as "
            "NEONBLUE_MODELS_PROJECT=/srv/our_models (docs/own-models.md)"
        )
    if not (folder / "dbt_project.yml").is_file():
        raise OwnProjectError(f"NEONBLUE_MODELS_PROJECT: there is no dbt_project.yml in {folder}")
    package = folder / "dbt_packages" / _PACKAGE
    if not package.exists() or package.resolve() != project_path().resolve():
        run = subprocess.run(
            [dbt_executable(), "--quiet", "deps"],
            env={**os.environ, **environment(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0 or not package.exists():
            raise OwnProjectError(
                f"the packages of {folder} can't be installed; its packages.yml needs "
                f"- local: \"{{{{ env_var('NEONBLUE_DBT_PROJECT') }}}}\"\n{said(run)}"
            )
    return folder


def name_of(folder: Path) -> str:
    """The project's name. Raises ``OwnProjectError`` where its file gives none."""
    found = _NAME.search((folder / "dbt_project.yml").read_text())
    if found is None:
        raise OwnProjectError(f"{folder / 'dbt_project.yml'} has no line 'name: …'")
    return found.group(1)


def manifest(settings: Settings) -> Path:
    """The project's manifest, made anew where one of its or NeonBlue's files is newer. Raises ``OwnProjectError``."""
    folder = prepared(settings)
    variables = environment(settings)
    try:
        return fresh_manifest(
            Path(variables["DBT_TARGET_PATH"]), (folder, project_path()), lambda: parse(variables)
        )
    except RuntimeError as error:
        raise OwnProjectError(f"{folder}: {error}") from error


def loaded(settings: Settings) -> Path | None:
    """The manifest, or None: there is no own project, or a broken one, which is logged and stops nothing else."""
    if settings.models.project is None:
        return None
    try:
        return manifest(settings)
    except OwnProjectError as error:
        log.error("own_models_left_out", project=str(settings.models.project), reason=str(error))
        return None
