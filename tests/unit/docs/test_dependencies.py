"""The page of dependencies has a line for every package that is asked for or imported, and for no other."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions

from tests.unit.docs.pages import ROOT
from tests.unit.test_distributions import imports, modules

_NAME = re.compile(r"[\w.-]+")
# What is locked elsewhere: JavaScript's packages, Go's, a WebJar.
_ELSEWHERE = ("npm:", "Go:", "Swagger UI")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed() -> set[str]:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    found: set[str] = set()
    for row in re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)[1:]:
        if row.startswith(_ELSEWHERE):
            continue
        first, *others = row.split(", ")
        # "opentelemetry-api, -sdk": what begins with a dash goes on from the first one's stem.
        found |= {
            first,
            *(first.partition("-")[0] + name if name.startswith("-") else name for name in others),
        }
    return {plain(name) for name in found}


def asked_for() -> set[str]:
    found: set[str] = set()
    for place in ("pyproject.toml", "distributions/client/pyproject.toml"):
        project = tomllib.loads((ROOT / place).read_text())
        groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
        for group in (*groups, *project.get("dependency-groups", {}).values()):
            found |= {plain(_NAME.match(each)[0]) for each in group}  # type: ignore[index]
    return found - {"neonblue", "neonblue-client"}


def imported() -> dict[str, set[str]]:
    """Each package that the code imports, with the distributions that bring its name."""
    of = packages_distributions()
    return {
        module: {plain(name) for name in of.get(module, [module])}
        for module in imports(modules("neonblue", "api", "orchestration"))
    }


def test_every_package_that_is_asked_for_has_a_line() -> None:
    assert asked_for() - listed() == set()


def test_every_package_that_is_imported_has_a_line() -> None:
    """Of a name that several distributions share, as `opentelemetry`, one is enough."""
    assert [module for module, names in imported().items() if not names & listed()] == []


def test_no_other_package_has_a_line() -> None:
    assert listed() - asked_for() - set().union(*imported().values()) == set()
