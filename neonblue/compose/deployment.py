"""The folder that Docker Compose deploys from: its files, and writing those that are missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neonblue import __version__
from neonblue.compose import clickhouse, kept, replicas, watching
from neonblue.compose.kept import Kept
from neonblue.compose.machine import Machine
from neonblue.compose.parts import PARTS, WATCHER, connect_variables, secrets_of
from neonblue.files import Folder, folder, write_private
from neonblue.stack.services import postgres, templates, valkey

SYSTEM_USER = 10001
"""Whom the containers run as where root makes the folder."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - within a container's own network
_COPIED = ("compose.yaml", "ha.yaml", "Caddyfile")
_EMBEDDED = ("postgres", "kafka", "clickhouse", "logs")
_KAFKA_DATA = "/var/lib/kafka/data"
_PLUGINS = "/opt/connect/plugins"
"""In the image of Connect: see ``compose/Dockerfile``."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. A secret is its owner's alone."""

    text: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a file: ``made``, ``kept`` as it was, or ``kept`` although this version would write another."""

    path: str
    made: bool
    differs: bool = False


def owner() -> tuple[int, int]:
    """User and group that the containers run as: whose files these are."""
    return (SYSTEM_USER, SYSTEM_USER) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def files(keeps: Kept, machine: Machine) -> dict[str, File]:
    """Every file but ``neonblue.env``, by its path in the folder."""
    source = folder(Folder.COMPOSE)
    copied = {name: File((source / name).read_text(encoding="utf-8")) for name in _COPIED}
    return (
        copied | _configuration(keeps) | _secrets(keeps, machine) | {".env": File(_variables(keeps, machine))}
    )


def _configuration(keeps: Kept) -> dict[str, File]:
    settings = keeps.settings
    connectors = folder(Folder.CONNECTORS)

    def server(**changes: str) -> str:
        places = {"listen_addresses": "'*'", "unix_socket_directories": "'/var/run/postgresql'"}
        return postgres.configuration(settings, **places, **changes)

    more = watching.configuration(keeps) | replicas.configuration(keeps, server)
    return {path: File(text) for path, text in more.items()} | {
        "config/postgresql.conf": File(server()),
        "config/log4j2.properties": File((connectors / "log4j2.properties").read_text(encoding="utf-8")),
        "config/login.conf": File(
            templates.connect_login().replace('"users.properties"', '"/run/secrets/users.properties"')
        ),
    }


def _secrets(keeps: Kept, machine: Machine) -> dict[str, File]:
    settings, memory = keeps.settings, machine.clickhouse_memory
    kafka = f"kafka:{settings.kafka.port}"
    texts = {
        "postgres-password": settings.postgres.password.get_secret_value(),
        "kafka-admin-password": settings.kafka.password_of("admin"),
        "kafka.properties": templates.broker(
            settings, _KAFKA_DATA, keeps.kafka_node, listen=EVERYWHERE, host="kafka"
        ),
        "worker.properties": templates.worker(settings, _PLUGINS, listen=EVERYWHERE, bootstrap_servers=kafka),
        "users.properties": templates.connect_users(settings),
        "connect.env": _dotenv(connect_variables(keeps)),
        "valkey.conf": valkey.configuration(settings, listen=EVERYWHERE)
        + valkey.watcher(WATCHER, keeps.valkey_watcher),
        "clickhouse-config.xml": clickhouse.config(keeps, memory),
        "clickhouse-users.xml": clickhouse.users(keeps, memory),
    }
    texts |= {f"{name}.env": _dotenv(secrets_of(name, keeps)) for name in PARTS}
    texts |= watching.secrets(keeps) | replicas.secrets(keeps, EVERYWHERE, _KAFKA_DATA, _PLUGINS)
    return {f"secrets/{name}": File(text, secret=True) for name, text in texts.items()}


def _variables(keeps: Kept, machine: Machine) -> str:
    """What ``compose.yaml`` leaves open. Docker Compose reads it by itself."""
    user, group = owner()
    # A server ends by itself at its own limit, before the kernel ends it at the container's.
    limit = machine.clickhouse_memory * 5 // 4 // 1024**2
    return (
        "# Written by neonblue compose init; yours from now on.\n"
        f"STACK_UID={user}\nSTACK_GID={group}\n"
        f"STACK_VERSION={__version__}\n"
        f"CLICKHOUSE_MEMORY={limit}m\n"
        f"KAFKA_CLUSTER_ID={keeps.kafka_cluster}\n"
        "# The name that Caddy gets a certificate for (profile tls), such as experiments.example.com.\n"
        "SITE_ADDRESS=localhost\n"
    )


def refusal(target: Path) -> str:
    """Why nothing can be deployed from `target`, and what to do; '' where it can."""
    data = [name for name in _EMBEDDED if (target / name).is_dir()]
    if data:
        return f"{target} holds the data of an embedded stack ({', '.join(data)}): name another folder"
    return ""


def write(target: Path, machine: Machine) -> list[Written]:
    """Write into `target` what it does not have yet. What is there is never written over.

    Raises OSError, and ``RequirementError`` where the machine can't hash a password.

    Made again from what the folder keeps, a file is what it was, but for what another version or machine changes.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    keeps = kept.load(target)
    done = [Written("neonblue.env", made=not (target / "neonblue.env").exists())]
    _owned(kept.save(keeps))
    done += [_put(target / path, path, file) for path, file in files(keeps, machine).items()]
    _owned(target / "secrets")
    return done


def _put(place: Path, path: str, file: File) -> Written:
    if place.exists():
        return Written(path, made=False, differs=place.read_bytes() != file.text.encode())
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if file.secret else 0o755)
    if file.secret:
        write_private(place, file.text)
        _owned(place)
    else:
        place.write_text(file.text, encoding="utf-8")
        place.chmod(0o644)
    return Written(path, made=True)


def _owned(path: Path) -> None:
    """A container reads it as the user that it runs as."""
    if os.geteuid() == 0:
        os.chown(path, *owner())


def _dotenv(variables: Mapping[str, str]) -> str:
    """For a shell to read. Each value is a generated one, without a quotation mark."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())
