"""The steps of an experiment's life, each a command with the API's name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from neonblue.cli import experiment_calls as calls
from neonblue.cli.api import Api, experiment_path, show_json
from neonblue.cli.experiment_options import ConfirmYes, Key, OnlyVersion, Why
from neonblue.cli.experiment_view import asked_sentence, decision_sentence, release_words, warning_lines
from neonblue.cli.output import ask, confirm, say, warn
from neonblue.cli.terminal import AsJson, DataDir, fail
from neonblue.client import Experiment
from neonblue.client.messages import Evaluations
from neonblue.settings import Settings
from neonblue.texts import plain

_SIMPLE = {
    "schedule": "Have a draft start at its scheduled_start_at.",
    "unschedule": "Make a scheduled experiment a draft again.",
    "pause": "Pause: no new unit is assigned, and everybody gets the control.",
    "roll_back": "Take the change back: everybody gets the control, and nobody enters until `resume`.",
    "resume": "Go on with a paused experiment; its enrolment is as it was before it was rolled back.",
}

Ship = Annotated[str | None, typer.Option(metavar="VARIANT", help="Ship this variant.")]
RollBack = Annotated[bool, typer.Option("--roll-back", help="Back to the control.")]
Inconclusive = Annotated[bool, typer.Option("--inconclusive", help="Nothing can be said.")]
DecideLater = Annotated[
    bool, typer.Option("--decide-later", help="No decision yet; `neonblue experiment decide` records it.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Why it is decided so; asked for where not given.")
]


def register(group: typer.Typer) -> None:
    """Add the steps to the group of commands."""
    for name, says in _SIMPLE.items():
        group.command(name, help=says)(_simple(name))
    for command in (start, conclude):
        group.command()(command)
    group.command()(decide)
    group.command()(release)
    group.command()(archive)


def _simple(name: str) -> Any:
    def step(
        key: Key,
        reason: Why = None,
        version: OnlyVersion = None,
        json_output: AsJson = False,
        data_dir: DataDir = None,
    ) -> None:
        with Api(Settings.load(data_dir), json_output=json_output) as api:
            answer = api.post(experiment_path(key, name), calls.because(reason) or None, version=version)
            _tell(api.read(answer, Experiment), answer, json_output=json_output)

    return step


def start(
    key: Key,
    force: Annotated[
        bool, typer.Option("--force", help="Start although the checklist finds something blocking.")
    ] = False,
    reason: Why = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Start now: units are assigned from now on, and the inference is chosen for good.

    What the checklist finds to be blocking refuses it, unless it is forced with a reason.
    """
    body = _forced(reason, force=force)
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.post(experiment_path(key, "start"), body or None, version=version)
        _tell(api.read(answer, Experiment), answer, json_output=json_output)


def conclude(
    key: Key,
    ship: Ship = None,
    roll_back: RollBack = False,
    inconclusive: Inconclusive = False,
    decide_later: DecideLater = False,
    reason: Reason = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Conclude, for good: no unit is assigned any more. Say what is decided and why, or --decide-later."""
    decision = _decision(ship, roll_back, inconclusive, reason, later=decide_later)
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.post(experiment_path(key, "conclude"), decision, version=version)
        _tell(api.read(answer, Experiment), answer, json_output=json_output, decided=True)


def decide(
    key: Key,
    ship: Ship = None,
    roll_back: RollBack = False,
    inconclusive: Inconclusive = False,
    reason: Reason = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Record the decision on an experiment that is concluded, or another one than before."""
    decision = _decision(ship, roll_back, inconclusive, reason, later=None)
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        done = calls.change(api, key, {"decision": decision}, version=version)
        _tell(done.after, done.answer, json_output=json_output, decided=True)


def release(
    key: Key,
    to: Annotated[
        str | None, typer.Argument(metavar="[PERCENT]", help="Of its population, such as 25%, at once.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="NAME", help="Raise the share step by step: standard or careful."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="Another variant than the one that is released.")
    ] = None,
    everyone: Annotated[
        bool | None, typer.Option("--everyone/--targeted", help="Of everyone, or of those targeting means.")
    ] = None,
    reason: Why = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Release a concluded experiment's variant to a share: those who had it come first, the rest get the control.

    By a plan the share grows by itself, by time alone; a share that is said ends it.
    """
    if (to is None) == (plan is None):
        fail("say one of: PERCENT, --plan NAME", code=2)
    points = None if to is None else calls.points_of(to)
    population = None if everyone is None else "everyone" if everyone else "targeted"
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        done = calls.release(
            api,
            key,
            points,
            plan=plan,
            variant=variant,
            population=population,
            reason=reason,
            version=version,
        )
    if json_output:
        show_json(done.answer)
    elif done.after.release is not None:
        say(f"{plain(key)} is released: {release_words(done.after.release)}")


def archive(
    key: Key,
    force: Annotated[
        bool, typer.Option("--force", help="Although the key was asked for in the last seven days.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; asked for with --force where not given.")
    ] = None,
    yes: ConfirmYes = False,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Put a concluded experiment away, for good: its key gives nothing any more.

    Refused while the key was asked for in the last seven days: take it out of the code first, or --force with a reason.
    """
    body = _forced(reason, force=force)
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        before = calls.now(api, key)
        if not yes:
            asked = api.read(api.get(experiment_path(key, "evaluations")), Evaluations)
            confirm(f"{asked_sentence(asked)}. Archive the {before.status} {plain(key)} for good?", yes=yes)
        answer = api.post(experiment_path(key, "archive"), body or None, version=version or before.version)
        _tell(api.read(answer, Experiment), answer, json_output=json_output)


def _forced(reason: str | None, *, force: bool) -> dict[str, Any]:
    """The body of a step that a reason can force; asks for the reason where there is none."""
    if force and reason is None:
        reason = ask("Why", "why: --reason TEXT")
    return calls.because(reason) | ({"force": True} if force else {})


def _decision(
    ship: str | None, roll_back: bool, inconclusive: bool, reason: str | None, *, later: bool | None
) -> dict[str, str] | None:
    """The decision as the API takes it; None: later, which `later` None does not offer."""
    options = {"--ship VARIANT": ship is not None, "--roll-back": roll_back, "--inconclusive": inconclusive}
    if later is not None:
        options["--decide-later"] = later
    if sum(options.values()) != 1:
        fail(f"say what is decided, one of: {', '.join(options)}", code=2)
    if later:
        if reason is not None:
            fail("--reason belongs to a decision; --decide-later has none", code=2)
        return None
    outcome = "ship" if ship is not None else "roll_back" if roll_back else "inconclusive"
    decision = {
        "outcome": outcome,
        "reason": reason if reason is not None else ask("Why", "why: --reason TEXT"),
    }
    return decision if ship is None else decision | {"variant_key": ship}


def _tell(experiment: Experiment, answer: bytes, *, json_output: bool, decided: bool = False) -> None:
    """Say where the experiment stands now. decided: whether the decision is news."""
    if json_output:
        show_json(answer)
        return
    decision = experiment.decision if decided else None
    said = "" if decision is None else f"; {decision_sentence(decision)}"
    say(f"{plain(experiment.key)} is {experiment.status}{said}")
    warn(warning_lines(experiment))
