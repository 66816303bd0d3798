"""Asking the Prometheus of a stack, and what it has told people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from neonblue.settings import Settings
from neonblue.stack import Stack
from neonblue.stack.services import monitoring
from tests.integration.stack.loading import receiver

JOBS = {"api", "exporter", "postgres", "valkey", "alertmanager", "prometheus"}
MINUTE = 60.0
Told = tuple[str, list[dict[str, str]]]

NEEDED = [
    pytest.mark.skipif(
        bool(monitoring.missing()),
        reason="not installed: apt-get install " + " ".join(one.package for one in monitoring.missing()),
    ),
    pytest.mark.timeout(900),
]


@contextmanager
def watched(settings: Settings, services: tuple[str, ...] | None) -> Iterator[tuple[Stack, Told]]:
    """A stack of these services (None: all) that is watched, and what its alerts have told."""
    with receiver() as told:
        alert = settings.alert.model_copy(update={"urls": (SecretStr(told[0]),)})
        with Stack(settings.model_copy(update={"alert": alert}), services=services, watched=True) as stack:
            stack.wait_ready(timeout=500)
            yield stack, told


def asked(settings: Settings, path: str, **parameters: str) -> Any:
    """What Prometheus answers."""
    address = f"http://127.0.0.1:{settings.monitoring.prometheus_port}/api/v1/{path}"
    answer = httpx.get(address, params=parameters, auth=settings.monitoring.credentials, trust_env=False)
    return answer.raise_for_status().json()["data"]


def values(settings: Settings, expression: str, label: str = "") -> dict[str, float]:
    """What an expression is now, by a label."""
    found = asked(settings, "query", query=expression)["result"]
    return {one["metric"].get(label, ""): float(one["value"][1]) for one in found}


def unwell(settings: Settings) -> list[str]:
    """Rules that could not be evaluated, or were not yet."""
    groups = asked(settings, "rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    return [rule["name"] for rule in found if rule["health"] != "ok"] if found else ["none"]


def addresses(settings: Settings) -> dict[str, str]:
    """Where each job's target is."""
    ports = settings.monitoring
    own = {
        "exporter": ports.exporter_port,
        "postgres": ports.postgres_exporter_port,
        "valkey": ports.valkey_exporter_port,
        "alertmanager": ports.alertmanager_port,
        "prometheus": ports.prometheus_port,
    }
    return {"api": settings.api.address} | {job: f"http://127.0.0.1:{port}" for job, port in own.items()}


def messages(told: Told, title: str) -> list[dict[str, str]]:
    return [message for message in told[1] if message["title"] == title]
