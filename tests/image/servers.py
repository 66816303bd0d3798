"""The official images' servers in a rehearsal: the embedded stack's programs, with the files that the images get."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from neonblue.compose.kept import Kept
from neonblue.settings import Settings
from neonblue.stack.jvm import jars, java
from neonblue.stack.processes.command import Command
from neonblue.stack.services.clickhouse import ClickHouse
from neonblue.stack.services.kafka import jar_cache
from neonblue.stack.services.postgres import CONFIGURATION_FILE, Postgres
from neonblue.stack.services.valkey import Valkey

_KAFKA = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


def start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    account = command.account
    with log.open("ab") as file:
        return subprocess.Popen(
            command.arguments,
            env=dict(command.environment),
            cwd=command.folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def postgres(settings: Settings, deployment: Path, log: Path) -> subprocess.Popen[bytes]:
    """A new database with the deployment's configuration, and nobody in it but the superuser."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", _made("/var/run/postgresql")], check=True
    )
    service = Postgres(settings)
    service.prepare()
    command = service.command()
    (command.folder / CONFIGURATION_FILE).write_bytes(
        (deployment / "config" / "postgresql.conf").read_bytes()
    )
    return start(command, log)


def valkey(settings: Settings, deployment: Path, log: Path) -> subprocess.Popen[bytes]:
    service = Valkey(settings)
    service.prepare()
    command = service.command()
    configuration = command.folder / "valkey.conf"
    configuration.write_bytes((deployment / "secrets" / "valkey.conf").read_bytes())
    return start(command, log)


def kafka(service: dict[str, Any], deployment: Path, data: Path, log: Path) -> subprocess.Popen[bytes]:
    """By the entry point and the command of ``compose.yaml``; the scripts that it calls run the locked jars."""
    cache = jar_cache(Settings.model_construct())
    class_path = ":".join(str(cache / path) for path in jars.ensure(cache, jars.locked()).class_path)
    place = Path(_made("/opt/kafka/bin"))
    for script, main_class in _KAFKA.items():
        program = f"{java.executable()} $KAFKA_HEAP_OPTS $KAFKA_LOG4J_OPTS -cp {shlex.quote(class_path)}"
        (place / script).write_text(f'#!/bin/sh\nexec {program} {main_class} "$@"\n')
        (place / script).chmod(0o755)
    for secret in service["secrets"]:
        _bind(deployment / "secrets" / secret["source"], f"/run/secrets/{secret['source']}")
    _bind(deployment / "config" / "log4j2.properties", "/etc/neonblue/log4j2.properties")
    data.mkdir()
    subprocess.run(["mount", "--bind", data, _made("/var/lib/kafka/data")], check=True)
    words = [word.replace("$$", "$") for word in (*service["entrypoint"], *service["command"])]
    environment = {**service["environment"], "PATH": os.environ["PATH"]}
    return start(Command(tuple(words), environment, data), log)


def clickhouse(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    """The embedded engine's front: it has two users, and none for the API alone."""
    service = ClickHouse(settings)
    service.prepare()
    return start(replace(service.command(), account=None), log)


def settings_of(keeps: Kept, folder: Path) -> Settings:
    """The deployment's secrets and the usual ports, with data in `folder`."""
    clickhouse_settings = keeps.settings.clickhouse.model_copy(update={"confined": False})
    folder.mkdir(mode=0o755)
    return keeps.settings.model_copy(update={"data_dir": folder, "clickhouse": clickhouse_settings})


def _bind(source: Path, target: str) -> None:
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    subprocess.run(["mount", "--bind", source, place], check=True)


def _made(folder: str) -> str:
    """A folder of this rehearsal's mounts alone: what is there on the machine is not touched."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    return folder


def hide(folder: str) -> None:
    """An empty folder in the place of the machine's."""
    place = Path(_made(folder))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place], check=True)
