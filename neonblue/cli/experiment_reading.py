"""Looking at experiments: the list, one of them, its checklist, its history; and at all that one person is in."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer

from neonblue.cli.api import EXPERIMENTS, Api, experiment_path, show_json
from neonblue.cli.experiment_options import Key
from neonblue.cli.experiment_view import (
    CheckedItem,
    InExperiment,
    asked_sentence,
    assignments_table,
    checklist_lines,
    evaluations_table,
    experiment_page,
    experiments_table,
    history_table,
    utc_now,
)
from neonblue.cli.output import print_whole, say
from neonblue.cli.terminal import AsJson, DataDir, fail
from neonblue.client import Experiment
from neonblue.client.messages import Evaluations, ExperimentVersion
from neonblue.contract.requests import DEFAULT_UNIT_TYPE
from neonblue.settings import Settings


class Experiments(msgspec.Struct):
    """Every page of a list."""

    items: list[Experiment]


class Versions(msgspec.Struct):
    items: list[ExperimentVersion]


class Assignments(msgspec.Struct):
    items: list[InExperiment]


class Checklist(msgspec.Struct):
    items: list[CheckedItem]


def register(group: typer.Typer) -> None:
    """Add these commands to the group."""
    group.command("list")(list_experiments)
    for command in (show, checklist, history, evaluations, assignments):
        group.command()(command)


def list_experiments(
    status: Annotated[
        list[str] | None,
        typer.Option(help="draft, scheduled, running, paused, concluded or archived (repeatable)."),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Of this owner.")] = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    layer: Annotated[str | None, typer.Option(help="In this layer.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Part of a key, a name or a hypothesis, in any case.")
    ] = None,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale",
            help="Whose key can probably go out of the code: decided, or not asked for, for 14 days.",
        ),
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List all experiments, newest first."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        given = {"status": status, "owner": owner, "tag": tag, "layer": layer, "text": text}
        wanted = given | {"stale": "true" if stale else None}
        answer = api.all_items(EXPERIMENTS, **wanted)
        found = api.read(answer, Experiments).items
    if json_output:
        show_json(answer)
    elif found:
        print_whole(experiments_table(found, utc_now()))
    else:
        say("no experiments" if not any(wanted.values()) else "none like that")


def show(key: Key, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Show all of an experiment: configuration, decision, every change."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.get(experiment_path(key))
        if json_output:
            show_json(answer)
            return
        found = api.read(answer, Experiment)
        versions = api.read(api.all_items(f"{experiment_path(key)}/versions"), Versions).items
    print_whole(experiment_page(found, versions, utc_now()))


def checklist(key: Key, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Show whether the experiment is ready to start; once it has started, whether its numbers can be trusted."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.get(experiment_path(key, "checklist"))
        found = api.read(answer, Checklist)
    if json_output:
        show_json(answer)
    else:
        print_whole(checklist_lines(found.items))


def assignments(
    user_id: Annotated[str, typer.Argument(metavar="ID", help="Of the person, or an anonymous id of it.")],
    unit_type: Annotated[str, typer.Option(help="Of the id: user, device, …")] = DEFAULT_UNIT_TYPE,
    attributes: Annotated[
        str | None,
        typer.Option(metavar="JSON", help='Try these instead, such as {"country": "DE"}: nothing is stored.'),
    ] = None,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show every experiment and release that a person is in, and what it would be answered now."""
    path = f"/v1/users/{quote(user_id, safe='')}/assignments"
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        if attributes is None:
            answer = api.get(path, unit_type=unit_type)
        else:
            answer = api.post(f"{path}/trial", {"attributes": _object(attributes)}, unit_type=unit_type)
        found = api.read(answer, Assignments)
    if json_output:
        show_json(answer)
    elif found.items:
        print_whole(assignments_table(found.items))
    else:
        say("in no experiment")


def _object(text: str) -> dict[str, Any]:
    """Ends the command where the text is no JSON object."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        fail(f"--attributes: {error}", code=2)


def history(key: Key, json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """Show every change: when, by whom, what differed and why."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.all_items(f"{experiment_path(key)}/versions")
        versions = api.read(answer, Versions).items
    if json_output:
        show_json(answer)
    else:
        print_whole(history_table(versions))


def evaluations(
    key: Key,
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=2_160, help="So many hours up to now; 168 are a week.")
    ] = 168,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show how often the key was asked for, and what was answered; --json has it by hour."""
    with Api(Settings.load(data_dir), json_output=json_output) as api:
        answer = api.get(f"{experiment_path(key)}/evaluations", hours=hours)
        found = api.read(answer, Evaluations)
    if json_output:
        show_json(answer)
        return
    say(asked_sentence(found))
    if found.counts:
        print_whole(evaluations_table(found))
