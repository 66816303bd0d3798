"""The dbt project, parsed once for all tests of a run."""

from __future__ import annotations

import os

import pytest

from neonblue.settings import Settings


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings whose data folder every worker has; who comes first parses there, and the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Settings(data_dir=shared / "parsed")
