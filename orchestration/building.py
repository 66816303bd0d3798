"""Runs `dbt build` by itself, where no Dagster is at hand: in tests, and on a ClickHouse alone."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from neonblue.settings import Settings
from orchestration.outcome import BuildOutcome, from_run_results, one_paragraph
from orchestration.project import dbt_environment, dbt_executable, target_path

RUN_RESULTS: Final = "run_results.json"


def build(
    settings: Settings,
    days: Sequence[date] | None = None,
    *,
    select: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
) -> BuildOutcome:
    """Build and test the models on the ClickHouse of `settings`, as the hourly job does, and say how each node ended.

    `days` (None: those that rows have touched) are the days to rebuild, exactly; `select` takes dbt's selectors (none:
    everything), `variables` values for dbt's variables. Failures are in the outcome; nothing is raised for them.
    """
    began = time.monotonic()
    results = target_path(settings) / RUN_RESULTS
    results.unlink(missing_ok=True)
    run = subprocess.run(
        [
            dbt_executable(),
            *arguments(days, variables or {}),
            *(("--select", *select) if select else ()),
        ],
        env={**os.environ, **dbt_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = read(results) if results.exists() else BuildOutcome()
    failed = run.returncode != 0 and not outcome.failed
    error = one_paragraph(run.stdout + run.stderr) or f"dbt ended with {run.returncode}" if failed else ""
    return BuildOutcome(outcome.nodes, time.monotonic() - began, error)


def arguments(days: Sequence[date | str] | None, variables: Mapping[str, Any] | None = None) -> list[str]:
    """dbt's arguments: with the days to build, or without, so that it finds the touched ones itself.

    Unit tests are of the code, not of the data: they run where the code is tested.
    """
    given = dict(variables or {}) | ({} if days is None else {"days": [str(day) for day in days]})
    build_command = ["build", "--exclude-resource-type", "unit_test"]
    return [*build_command, "--vars", json.dumps(given)] if given else build_command


def read(run_results: Path) -> BuildOutcome:
    """What a finished dbt run left."""
    return from_run_results(json.loads(run_results.read_bytes()))
