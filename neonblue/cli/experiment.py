"""``neonblue experiment``: experiments from the draft to the archive, over the API."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from neonblue.cli import experiment_calls as calls
from neonblue.cli import experiment_ramp as ramps
from neonblue.cli import experiment_reading as reading
from neonblue.cli import experiment_steps as steps
from neonblue.cli.api import EXPERIMENTS, Api, experiment_path, show_json
from neonblue.cli.document import read_document
from neonblue.cli.experiment_document import example_of, for_the_api
from neonblue.cli.experiment_options import ConfirmYes, File, Key, OnlyVersion, Why
from neonblue.cli.experiment_view import warning_lines
from neonblue.cli.output import confirm, say, warn
from neonblue.cli.terminal import AsJson, DataDir, fail
from neonblue.client import Experiment
from neonblue.settings import Settings
from neonblue.texts import plain

_HELP = """\
Create, look at and steer experiments.

draft → scheduled → running ⇄ paused → concluded → archived. A change that was made from an older state than the present
one is refused. Exit codes: 0 done, 1 refused or not reached, 2 called wrongly.
"""

experiment = typer.Typer(
    name="experiment",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


reading.register(experiment)


@experiment.command()
def example(key: Annotated[str, typer.Argument(help="The key it gets.")] = "checkout") -> None:
    """Print a small experiment in YAML, to start from."""
    typer.echo(example_of(key), nl=False)


@experiment.command(epilog="A document to start from: neonblue experiment example > checkout.yaml")
def create(
    file: File,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have the API check all of it, and store nothing.")
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create a draft from a file in YAML or JSON with the fields of POST /v1/experiments.

    The allocation may be a percentage. Nothing is stored unless all of it is right.
    """
    document = for_the_api(read_document(file))
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.post(EXPERIMENTS, document, dry_run="true" if dry_run else None)
        made = api.read(answer, Experiment)
    if dry_run and made.id:
        fail(f"the API at {api.address} is of an older version: {plain(made.key)} was created as a draft")
    if json_output:
        show_json(answer)
    else:
        draft = f"{made.key} is a draft. Start it: neonblue experiment start {made.key}"
        say(f"{made.key} can be created as it is; nothing was stored" if dry_run else draft)
        warn(warning_lines(made))


@experiment.command()
def change(
    key: Key,
    file: File,
    reason: Why = None,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Change what the experiment's state allows: the fields in the file, the others stay."""
    fields = for_the_api(read_document(file))
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        done = calls.change(api, key, fields, reason=reason, version=version)
    if json_output:
        show_json(done.answer)
    elif done.after.version == done.before.version:
        say(f"{plain(key)}: nothing differs")
    else:
        say(f"{plain(key)} is changed: version {done.after.version}")
        warn(warning_lines(done.after))


ramps.register(experiment)


@experiment.command()
def delete(
    key: Key,
    yes: ConfirmYes = False,
    version: OnlyVersion = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Delete a draft. What ever ran is archived, not deleted."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        before = calls.now(api, key)
        confirm(f"Delete the {before.status} {plain(key)} for good?", yes=yes)
        api.delete(experiment_path(key), version=version or before.version)
    if json_output:
        typer.echo(json.dumps({"deleted": key}))
    else:
        say(f"{plain(key)} is deleted")


steps.register(experiment)
