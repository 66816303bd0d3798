"""``neonblue kafka-user``: who else may read the topic of the stack's Kafka."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka.admin import AdminClient

from neonblue.cli.experiment_view import grid
from neonblue.cli.output import confirm, print_whole, say
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.settings.kafka import in_java, sasl
from neonblue.stack.services import kafka_access
from neonblue.stack.services.inside import kafka_users
from neonblue.stack.services.kafka import admin

kafka_user = typer.Typer(
    name="kafka-user",
    help="Let further consumers read the stack's topic: each a user of its own, who may do nothing else.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The consumer's user.")]


@kafka_user.command()
def add(
    name: _Name,
    group: Annotated[
        str | None,
        typer.Option(help="What the names of its consumer groups begin with. Default: its own name."),
    ] = None,
    java: Annotated[
        bool, typer.Option("--java", help="Print the settings as Kafka's clients in Java take them.")
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a user who may read the topic, and print its client's settings. Its password is shown this once."""
    prefix = name if group is None else group
    if reason := kafka_access.refusal(name, prefix):
        fail(reason)
    settings, client = _open(data_dir)
    others = kafka_users.consumers(client)
    if name in others:
        fail(f"there is a user {name!r} already: 'neonblue kafka-user remove {name}', then add it anew")
    platform = {"the platform": (kafka_access.RESERVED, settings.clickhouse.kafka_group)}
    if owner := kafka_access.overlap(prefix, others | platform):
        fail(f"groups that begin with {prefix!r} would also be those of {owner}: choose another --group")
    password = secrets.token_urlsafe(24)
    kafka_users.grant(client, name, kafka_access.consumer(settings.kafka.topic, prefix, prefixed=True))
    kafka_users.put(client, {name: password})
    security = sasl(name, password)
    options = {
        "bootstrap.servers": settings.kafka.address,
        **(in_java(security) if java else security),
        "group.id": prefix,
    }
    if json_output:
        typer.echo(json.dumps(options, indent=2))
        return
    console(stderr=True).print(
        f"{name} may read {settings.kafka.topic} in groups that begin with {prefix}",
        markup=False,
        soft_wrap=True,
    )
    for option, value in options.items():
        typer.echo(f"{option}={value}")


@kafka_user.command("list")
def list_users(json_output: AsJson = False, data_dir: DataDir = None) -> None:
    """List the users that were added, with the beginnings of their groups."""
    _, client = _open(data_dir)
    found = kafka_users.consumers(client)
    if json_output:
        typer.echo(json.dumps([{"name": name, "groups": groups} for name, groups in found.items()], indent=2))
    elif found:
        print_whole(grid(("name", "groups"), [(name, ", ".join(groups)) for name, groups in found.items()]))
    else:
        say("no consumer was added; 'neonblue kafka-user add NAME' does so")


@kafka_user.command()
def remove(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Take a user's password and rights, at once."""
    _, client = _open(data_dir)
    if name not in kafka_users.consumers(client):
        fail(f"there is no user {name!r} that was added: 'neonblue kafka-user list' shows them")
    confirm(f"Remove the user {name!r}, for good?", yes=yes)
    kafka_users.remove(client, name)
    say(f"{name} may read nothing any more")


def _open(data_dir: Path | None) -> tuple[Settings, AdminClient]:
    settings = Settings.load(data_dir)
    if settings.kafka.external:
        fail("the users of an external Kafka are made there, by whoever runs it")
    return settings, admin(settings)
