"""What the commands about an experiment ask of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neonblue.cli.api import Api, experiment_path
from neonblue.cli.experiment_document import basis_points
from neonblue.cli.terminal import fail
from neonblue.client import Experiment
from neonblue.texts import plain


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


def release(
    api: Api,
    key: str,
    points: int | None,
    *,
    plan: str | None,
    variant: str | None,
    population: str | None,
    reason: str | None,
    version: int | None,
) -> Changed:
    """Release a variant to this share, in basis points, or by this ready-made ramp, which starts with its first step.

    What is not given stays, and is at first what was decided.
    """
    before = now(api, key)
    held, decided = before.release, before.decision
    shipped = decided.variant_key if decided is not None else None
    released = variant or (held.variant_key if held is not None else shipped)
    if released is None:
        fail(
            f"nothing is released or decided to ship of {plain(key)}: say which variant, --variant VARIANT",
            code=2,
        )
    body: dict[str, Any] = {
        "variant_key": released,
        **({"ramp": plan} if points is None else {"share": points}),
        "population": population or (held.population if held is not None else "targeted"),
    }
    answer = api.put(
        experiment_path(key, "release"), body | because(reason), version=version or before.version or 0
    )
    return Changed(before, api.read(answer, Experiment), answer)


def because(reason: str | None) -> dict[str, str]:
    """The reason as a field of a request; nothing where there is none."""
    return {} if reason is None else {"reason": reason}


def points_of(percent: str) -> int:
    """A share of traffic in basis points; what is none ends the command."""
    points = basis_points(percent)
    if points is None:
        fail(
            f"{plain(percent)!r} is no share of traffic: say a percentage up to 100, such as 25% or 0.5%",
            code=2,
        )
    return points
