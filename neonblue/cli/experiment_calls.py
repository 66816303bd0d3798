"""What the commands about an experiment ask of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neonblue.cli.api import Api, experiment_path
from neonblue.client import Experiment


@dataclass(frozen=True, slots=True)
class Changed:
    """An experiment before and after a change, and the API's answer as it came."""

    before: Experiment
    after: Experiment
    answer: bytes


def now(api: Api, key: str) -> Experiment:
    """The experiment as it stands."""
    return api.read(api.get(experiment_path(key)), Experiment)


def change(
    api: Api, key: str, fields: Mapping[str, Any], *, reason: str | None = None, version: int | None = None
) -> Changed:
    """Change these fields, of the experiment as it stands or only while it is at this version."""
    before = now(api, key)
    answer = api.patch(
        experiment_path(key), {**fields, **because(reason)}, version=version or before.version or 0
    )
    return Changed(before, api.read(answer, Experiment), answer)


def because(reason: str | None) -> dict[str, str]:
    """The reason as a field of a request; nothing where there is none."""
    return {} if reason is None else {"reason": reason}
