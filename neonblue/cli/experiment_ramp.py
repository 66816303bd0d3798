"""``neonblue experiment ramp``: the share of traffic, raised by hand or step by step by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from neonblue.cli import experiment_calls as calls
from neonblue.cli.api import Api, experiment_path, show_json
from neonblue.cli.experiment_options import Key, OnlyVersion, Why
from neonblue.cli.experiment_view import ramp_words
from neonblue.cli.output import ask, say
from neonblue.cli.terminal import AsJson, DataDir, fail
from neonblue.cli.texts import moment, share
from neonblue.client import Experiment
from neonblue.settings import Settings
from neonblue.texts import plain

_DONE = {
    "hold": "stays at its step",
    "continue": "goes on",
    "skip": "took its next step",
    "back": "is held and takes nobody in",
}


class Step(msgspec.Struct):
    """A step as it is shown."""

    allocation: int
    hold: str
    units: int | None
    state: str


class Coming(msgspec.Struct):
    """What comes next if nothing speaks against it."""

    action: str
    allocation: int | None
    earliest_at: datetime | None
    waits_for: str


class Progress(msgspec.Struct):
    """A ramp's steps and what comes next."""

    steps: list[Step]
    next: Coming | None


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command()(ramp)


def ramp(
    key: Key,
    allocation: Annotated[
        str | None, typer.Argument(metavar="[PERCENT]", help="Of traffic, such as 25%, at once.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="NAME", help="Raise it step by step: standard or careful.")
    ] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Stay at the present step.")] = False,
    go_on: Annotated[bool, typer.Option("--continue", help="Go on after --hold or --back.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Take the next step now.")] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Hold it, and let nobody in until --continue.")
    ] = False,
    reason: Why = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Raise the share of traffic that is in the experiment: at once, or by a ramp. Once started it may only grow.

    Alone it shows the ramp: its steps, when the next one is due, and why it waits.
    """
    words = [word for word, said in zip(_DONE, (hold, go_on, skip, back), strict=True) if said]
    if len(words) + (allocation is not None) + (plan is not None) > 1:
        fail("say one of: PERCENT, --plan NAME, --hold, --continue, --skip, --back", code=2)
    points = None if allocation is None else calls.points_of(allocation)
    why = ask("Why", "why: --reason TEXT") if words and reason is None else reason
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        if words:
            answer, lines = _said(api, key, words[0], why, version)
        elif plan is not None:
            answer, lines = _planned(api, key, plan, why, version)
        elif points is not None:
            answer, lines = _raised(api, key, points, why, version)
        else:
            answer = api.get(experiment_path(key, "ramp"))
            lines = list(_shown(api.read(answer, Progress)))
    if json_output:
        show_json(answer)
    else:
        for line in lines:
            say(line)


def _raised(
    api: Api, key: str, points: int, reason: str | None, version: int | None
) -> tuple[bytes, list[str]]:
    done = calls.change(api, key, {"allocation": points}, reason=reason, version=version)
    return done.answer, [
        f"{plain(key)}: {share(done.before.allocation)} → {share(done.after.allocation)} of traffic"
    ]


def _planned(
    api: Api, key: str, plan: str, reason: str | None, version: int | None
) -> tuple[bytes, list[str]]:
    done = calls.change(api, key, {"ramp": plan}, reason=reason, version=version)
    ramp = done.after.ramp
    return done.answer, [f"{plain(key)}: {'no ramp' if ramp is None else ramp_words(ramp)}"]


def _said(api: Api, key: str, word: str, reason: str | None, version: int | None) -> tuple[bytes, list[str]]:
    answer = api.post(experiment_path(key, "ramp", word), calls.because(reason), version=version)
    after = api.read(answer, Experiment)
    return answer, [f"{plain(key)}: the ramp {_DONE[word]}: {share(after.allocation)} of traffic"]


def _shown(progress: Progress) -> Iterator[str]:
    for step in progress.steps:
        units = "" if step.units is None else f", until {step.units} units are in"
        yield f"{share(step.allocation)} for {step.hold}{units}: {step.state.replace('_', ' ')}"
    coming = progress.next
    if coming is None:
        yield "every step is taken"
        return
    what = "the conclusion" if coming.allocation is None else share(coming.allocation)
    when = "" if coming.earliest_at is None else f" from {moment(coming.earliest_at)}"
    yield f"next: {what}{when}; waits for: {plain(coming.waits_for)}"
