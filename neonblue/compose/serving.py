"""Becomes one of NeonBlue's services within its container: prepared and started as the embedded stack does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn

from neonblue.settings import Settings
from neonblue.stack.folders import PRIVATE_UMASK
from neonblue.stack.services.api import Api
from neonblue.stack.services.dagster import DagsterCode, DagsterDaemon, DagsterWeb
from neonblue.stack.services.monitoring import Exporter
from neonblue.stack.supervisor.nodes import Service

SERVICES: Mapping[str, type[Api | DagsterCode | DagsterWeb | DagsterDaemon | Exporter]] = {
    service.name: service for service in (Api, DagsterCode, DagsterWeb, DagsterDaemon, Exporter)
}


def become(name: str, settings: Settings) -> NoReturn:
    """Run the service in place of this process, with the secrets that it uses and no others."""
    service: Service = SERVICES[name](settings)
    os.umask(PRIVATE_UMASK)
    service.prepare()
    command = service.command()
    os.chdir(command.folder)
    os.execve(command.arguments[0], command.arguments, dict(command.environment))  # noqa: S606
