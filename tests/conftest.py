"""Options of the whole test suite."""

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("neonblue", deadline=None)
settings.load_profile("neonblue")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases", default=None, metavar="DIR", help="folder of statistics reference cases (*.json)"
    )
