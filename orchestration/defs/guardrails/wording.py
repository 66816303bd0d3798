"""What people are told of a breach: what was done, and the one call that undoes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict
from urllib.parse import quote

from neonblue.guardrails.breaches import Breach

_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "alert": "Guardrail breached",
        "hold": "Guardrail breached, and the ramp held",
        "pause": "Experiment paused",
        "roll_back": "Experiment rolled back",
    }
)
_DONE: Mapping[str, str] = MappingProxyType(
    {
        "alert": "Nothing was changed: the experiment runs on, a ramp takes no step. This breach is not told again "
        "until the experiment is paused and resumed.",
        "hold": "The ramp takes no further step; the experiment runs on.",
        "pause": "Everybody is served the control.",
        "roll_back": "Nobody is enrolled any more, and everybody is served the control.",
    }
)
_STOP = "To stop it, one call:"
_UNDO = (
    "To undo it, one call, which accepts what was seen so far: from then on these guardrails are judged by the units "
    "that enter afterwards."
)


class Told(TypedDict):
    """An alert's title and body."""

    title: str
    body: str


def told(key: str, found: Sequence[Breach], action: str, address: str) -> Told:
    """The words for breaches of one experiment, at least one. address: the API's."""
    step = {"alert": "pause", "hold": "ramp/continue"}.get(action, "resume")
    command = f"ramp {key} --continue" if action == "hold" else f"{step} {key}"
    lines = [breach.reason for breach in found]
    lines += [
        _DONE[action],
        _STOP if action == "alert" else _UNDO,
        f"neonblue experiment {command} --reason '…'",
        f'curl -X POST {address}/v1/experiments/{quote(key, safe="")}/{step} -H "Authorization: Bearer $TOKEN" '
        "-H 'Content-Type: application/json' -d '{\"reason\": \"…\"}'",
    ]
    return Told(title=f"{_TITLES[action]}: {key}", body="\n".join(lines))
