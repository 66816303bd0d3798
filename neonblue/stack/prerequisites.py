"""What must be there before the rest of the stack can even be imported: Python, the system, the packages."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from neonblue.settings import Settings
from neonblue.stack import catalogue
from neonblue.stack.errors import RequirementError

_GLIBC = (2, 28)
_ARCHITECTURES = ("x86_64", "aarch64")
_INSTALL = "pip install 'neonblue[all]'"
_SUPERVISOR = ("lz4", "psutil", "uvicorn", "zstandard")
"""What the stack's own code imports, whatever it is to run, besides the clients of its services."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, whether it will do, and what to do if not."""

    subject: str
    found: str
    good: bool = True
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that Python alone can tell."""
    yield _python()
    yield _system()
    yield _packages(settings)


def importable() -> bool:
    """Whether the stack's own code can be imported, whatever else is missing."""
    return all(find_spec(package) for package in supervisor())


def supervisor() -> tuple[str, ...]:
    """The packages that the stack's own code imports."""
    return (*_SUPERVISOR, *catalogue.clients())


def missing_packages(settings: Settings) -> list[str]:
    """What the stack is to run and is not installed."""
    missing = [] if importable() else ["the supervisor"]
    return missing + [
        package.brings for package in catalogue.packages(settings) if find_spec(package.module) is None
    ]


def require_packages(settings: Settings) -> None:
    """Raise ``RequirementError`` where something that the stack is to run is not installed."""
    if missing := missing_packages(settings):
        raise RequirementError(
            f"the stack is not installed whole, {', '.join(missing)} is missing: {_INSTALL}"
        )


def _python() -> Finding:
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    advice = "" if good else "install Python 3.11, 3.12 or 3.13"
    return Finding("Python", platform.python_version(), good, advice)


def _system() -> Finding:
    library, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
    good = platform.system() == "Linux" and platform.machine() in _ARCHITECTURES and numbers >= _GLIBC
    advice = "the binaries need Linux on x86_64 or aarch64 with glibc 2.28 or later (not musl)"
    found = f"{platform.system()} {platform.machine()}, {library or 'unknown C library'} {version}"
    return Finding("system", found, good, "" if good else advice)


def _packages(settings: Settings) -> Finding:
    if missing := missing_packages(settings):
        return Finding("packages", f"without {', '.join(missing)}", False, _INSTALL)
    try:
        installed, client = version("neonblue"), version("neonblue-client")
    except PackageNotFoundError:  # in a checkout they are one tree
        return Finding("packages", "all there")
    if installed != client:
        advice = f"pip install neonblue-client=={installed}"
        return Finding("packages", f"neonblue {installed} beside neonblue-client {client}", False, advice)
    return Finding("packages", "all there")
