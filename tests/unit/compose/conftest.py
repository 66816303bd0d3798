"""A deployment's folder, and its services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neonblue.compose import deployment
from tests.unit.compose.deployments import LARGE, PROFILES, compose_config


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``neonblue compose init`` writes it."""
    place = tmp_path_factory.mktemp("deployment")
    deployment.write(place, LARGE)
    return place


@pytest.fixture(scope="session")
def replicated(folder: Path) -> dict[str, Any]:
    """Every service of every profile with the overlay of high availability."""
    found: dict[str, Any] = compose_config(folder, *PROFILES, overlay="ha.yaml")["services"]
    return found


@pytest.fixture(params=["services", "replicated"])
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every service of every profile, without and with the overlay."""
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def services(folder: Path) -> dict[str, Any]:
    """Every service of every profile."""
    found: dict[str, Any] = compose_config(folder, *PROFILES)["services"]
    return found
