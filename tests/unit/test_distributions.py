"""Two distributions of one tree: what each holds, and that each and every extra names the packages its code imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neonblue import __version__
from neonblue.stack import prerequisites

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
    "stack": ("neonblue/stack", "neonblue/monitoring", "neonblue/simulation", "neonblue/reconciliation"),
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


def imports(*places: str, root: Path = ROOT, everywhere: bool = True) -> dict[str, str]:
    """The packages of others that the code imports, each with a module that does; not `everywhere`: at its start."""
    found: dict[str, str] = {}
    for path in (path for place in places for path in sorted((root / place).rglob("*.py"))):
        beside = {one.stem for one in path.parent.glob("*.py")} if path.stem == "launch" else set()
        tree = ast.parse(path.read_text())
        for name in _names(ast.walk(tree) if everywhere else iter(tree.body)):
            top = name.partition(".")[0]
            if top not in OURS | set(sys.stdlib_module_names) | beside:
                found.setdefault(top, str(path.relative_to(root)))
    return found


def _names(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


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
        name: at for name, at in imports(*CODE[extra]).items() if name not in provided(PLATFORM, extra)
    }

    assert lacking == {}


def test_every_extra_is_looked_at() -> None:
    extras = PLATFORM["project"]["optional-dependencies"]

    assert extras.keys() == CODE.keys() | {"all"}
    assert provided(PLATFORM, "all") >= set().union(*(provided(PLATFORM, extra) for extra in CODE))


def test_the_client_names_what_it_imports() -> None:
    places = ("neonblue/client", "neonblue/contract", "neonblue/bucketing")

    assert imports(*places).keys() == provided(CLIENT, "targeting")
    assert imports(*places, everywhere=False).keys() == provided(CLIENT)


def test_the_doctor_knows_what_the_stacks_own_code_can_not_be_without() -> None:
    needed = imports("neonblue/stack", everywhere=False).keys() - provided(PLATFORM)

    assert set(prerequisites._SUPERVISOR) == needed


def test_what_one_distribution_holds_the_other_leaves_out() -> None:
    held = CLIENT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert all(source == f"../../{target}" for source, target in held.items())
    assert sorted(held.values()) == sorted(PLATFORM["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"])


def test_both_are_of_one_version_and_one_promise() -> None:
    client, platform = CLIENT["project"], PLATFORM["project"]
    pythons = [one for one in platform["classifiers"] if ":: Python ::" in one]

    assert platform["version"] == __version__
    assert f"neonblue-client=={__version__}" in platform["dependencies"]
    assert client["requires-python"] == platform["requires-python"]
    assert pythons == [one for one in client["classifiers"] if ":: Python ::" in one]
