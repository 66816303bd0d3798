"""Both wheels in fresh environments: what each brings, alone and side by side, and whether each extra is complete.

    python -m tests.wheels [FOLDER]      (make wheels-test)

The client's is tested under each Python that is promised and found here; the platform's and its extras under the first
of these. The environments lie in FOLDER (default: a temporary one), one after the other, with the lock's packages.
Prints sizes, dependencies and what came of each; exits 1 where something failed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from tests.versions import ROOT, interpreter, promised

CLIENT, PLATFORM = "neonblue-client", "neonblue"
OF_THE_CLIENT = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "msgspec", "typing-extensions"}
"""What the client brings, at most."""
TESTED_WITH = ("pytest", "pytest-timeout", "hypothesis")
NEEDS_THE_CHECKOUT = ("test_made.py", "test_messages.py")

IMPORTED = {
    "": ("neonblue.analysis", "neonblue.statistics", "neonblue.tables", "neonblue.settings"),
    "reports": ("neonblue.reports", "neonblue.results"),
    "api": ("api",),
    "orchestration": ("orchestration", "neonblue.alerting"),
    "stack": (
        "neonblue.stack",
        "neonblue.clickhouse_server",
        "neonblue.monitoring",
        "neonblue.simulation",
        "neonblue.reconciliation",
    ),
    "containers": ("api", "orchestration", "neonblue.compose"),
    "all": ("neonblue", "api", "orchestration"),
}
"""The code that each extra is for. All of it is imported."""
ELSEWHERE = r"\.__main__$|^neonblue\.dashboards\b|^api\.migrations\.env$"
"""Programs, what only makes files of the checkout, and what Alembic alone can import."""

IMPORT_ALL = """
import importlib, pkgutil, re, sys
sys.argv = ["neonblue"]
_, elsewhere, *packages = {arguments!r}
for package in packages:
    found = importlib.import_module(package)
    for one in pkgutil.walk_packages(found.__path__, package + "."):
        if not re.search(elsewhere, one.name):
            importlib.import_module(one.name)
"""


class FailedError(Exception):
    """What is not as it should be."""


class Environment:
    """A fresh one. Commands in it run where no checkout is at hand."""

    def __init__(self, python: Path, folder: Path, wheels: Path) -> None:
        self.folder = folder / "venv"
        self._wheels, self._elsewhere = wheels, folder / "elsewhere"
        self._elsewhere.mkdir(exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        uv("venv", "--quiet", f"--python={python}", str(self.folder))

    def pip(self, *arguments: str) -> str:
        return uv("pip", arguments[0], f"--python={self.folder}", *arguments[1:])

    def install(self, *requirements: str) -> None:
        lock = ROOT / "requirements.lock"
        self.pip("install", "--quiet", f"--find-links={self._wheels}", f"--constraint={lock}", *requirements)

    def packages(self) -> set[str]:
        return {line.partition("==")[0] for line in self.pip("freeze").splitlines()}

    def run(self, program: str, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self._elsewhere,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._elsewhere)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code:
            raise FailedError(
                f"{program} {' '.join(arguments)[:60]}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def megabytes(self) -> float:
        (library,) = self.folder.glob("lib/python*/site-packages")
        return sum(path.stat().st_size for path in library.rglob("*") if path.is_file()) / 1e6


def uv(*arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("uv"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FailedError(f"uv {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def build(folder: Path) -> dict[str, Path]:
    """Both wheels, by distribution."""
    for source in (ROOT / "distributions" / "client", ROOT):
        uv(
            "build",
            "--quiet",
            "--no-build-isolation",
            f"--python={sys.executable}",
            "--wheel",
            f"--out-dir={folder}",
            str(source),
        )
    found = {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}
    if set(found) != {CLIENT, PLATFORM}:
        raise FailedError(f"built: {sorted(found)}")
    return found


def files(wheel: Path) -> set[str]:
    return {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}


def check_files(wheels: dict[str, Path]) -> None:
    """No file is in both, and together they hold the three packages, whole."""
    client, platform = files(wheels[CLIENT]), files(wheels[PLATFORM])
    if both := client & platform:
        raise FailedError(f"in both wheels: {sorted(both)[:5]}")
    if tops := {name.split("/")[0] for name in client} - {"neonblue"}:
        raise FailedError(f"the client's wheel has {tops}")
    tracked = subprocess.run(
        ["git", "ls-files", "neonblue", "api", "orchestration"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    if lacking := set(tracked.stdout.split()) - client - platform:
        raise FailedError(f"in neither wheel: {sorted(lacking)[:5]}")


def check_client(environment: Environment) -> str:
    """Alone in an empty environment it needs little, and its own tests pass."""
    environment.install(CLIENT)
    if surplus := environment.packages() - OF_THE_CLIENT - {CLIENT}:
        raise FailedError(f"it brings {surplus}")
    brought = ", ".join(sorted(environment.packages() - {CLIENT}))
    environment.run("python", "-c", "from neonblue.client import AsyncClient, Client")
    size = environment.megabytes()
    environment.install(f"{CLIENT}[targeting]", *TESTED_WITH)
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "client"
        shutil.copytree(
            ROOT / "tests" / "unit" / "client", tests, ignore=shutil.ignore_patterns(*NEEDS_THE_CHECKOUT)
        )
        said = environment.run("pytest", "--quiet", "--import-mode=importlib", "--timeout=120", str(tests))
    passed = re.findall(r"\d+ passed", said)
    return f"{passed[-1] if passed else said[-200:]}; {size:.1f} MB with {brought}"


def check_both(environment: Environment) -> str:
    """In either order, and the client without the platform again."""
    environment.install(CLIENT)
    environment.install(PLATFORM)
    environment.pip("check")
    environment.run("neonblue", "--version")
    environment.run("python", "-c", "import neonblue.client, neonblue.statistics, api, orchestration")
    environment.pip("uninstall", "--quiet", PLATFORM)
    environment.run("python", "-c", "from neonblue.client import AsyncClient, Client")
    environment.install(PLATFORM)
    environment.run("neonblue", "--version")
    return "neonblue brings neonblue-client; without neonblue the client stays whole"


def check_extra(environment: Environment, extra: str, packages: Sequence[str]) -> str:
    environment.install(f"{PLATFORM}[{extra}]" if extra else PLATFORM)
    environment.pip("check")
    environment.run("python", "-c", IMPORT_ALL.format(arguments=["", ELSEWHERE, *packages]))
    said = environment.run("neonblue", "doctor", code=0 if extra == "all" else 1)
    if "packages:" not in said:
        raise FailedError(f"neonblue doctor: {said}")
    return f"{environment.megabytes():.0f} MB"


def main(folder: Path) -> int:
    """Check all; the exit code."""
    wheels = build(folder)
    check_files(wheels)
    for name, path in wheels.items():
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB ({path.name})")
    found = {version: python for version in promised() if (python := interpreter(version))}
    if not found:
        print("None of the promised Pythons is here")
        return 1
    first = next(iter(found.values()))
    checks = [(f"client, Python {version}", python, check_client, ()) for version, python in found.items()]
    checks += [("both, side by side", first, check_both, ())]
    checks += [
        (f"neonblue[{extra}]", first, check_extra, (extra, packages)) for extra, packages in IMPORTED.items()
    ]
    failed = False
    for name, python, check, arguments in checks:
        began = time.monotonic()
        try:
            came = check(Environment(python, folder, folder), *arguments)
        except FailedError as error:
            came, failed = f"FAILED: {error}", True
        print(f"{name}: {came} ({time.monotonic() - began:.0f} s)", flush=True)
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory(prefix="neonblue-wheels-") as made:
        sys.exit(main(Path(made)))
