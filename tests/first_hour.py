"""The first hour of a new user, as README and the quick start tell it: every line of shell that they show, in order.

    python tests/first_hour.py [PYTHON]

In a fresh clone whose path holds a space, with an empty cache and home, as a user who is not root, with the named
Python. Prints how long each step took; exits 1 at the first that fails. Takes about ten minutes, most of them the
packages' download.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
USER = "nobody"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_FILE = "cookie_cats.csv"


def main(python: str) -> None:
    """Walk through the page."""
    with tempfile.TemporaryDirectory(prefix="first hour ") as folder:
        home = Path(folder)
        checkout = home / "neon blue"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        write_own_file(checkout / OWN_FILE)
        environment = environment_of(home)
        owner = give_to(home)
        for step in steps((checkout / "README.md").read_text(), python):
            walk(step, checkout, environment, owner)
        for step in _BLOCK.findall((checkout / "docs" / "quick-start.md").read_text()):
            walk(step, checkout, environment, owner)


def steps(page: str, python: str) -> list[str]:
    """The page's lines of shell; what runs until Ctrl-C is run so that it ends, and the stack ends last."""
    shown = _BLOCK.findall(page)
    found = [f"make setup PYTHON={python}", ".venv/bin/neonblue demo --exit --seconds 20"]
    for block in shown:
        if "make demo" in block:
            continue
        lines = re.sub(r"neonblue up .*", "neonblue up --detach", block).replace(
            ".venv/bin/neonblue down\n", ""
        )
        found.append(lines)
    return [*found, ".venv/bin/neonblue down"]


def walk(step: str, checkout: Path, environment: dict[str, str], owner: int | None) -> None:
    """Do one step as the new user. Exits where it fails, or where anything ended in a traceback."""
    print(f"\n$ {step.strip()}", flush=True)
    started = time.monotonic()
    run = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step],
        cwd=checkout,
        env=environment,
        user=owner,
        group=None if owner is None else pwd.getpwuid(owner).pw_gid,
        extra_groups=None if owner is None else [],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(run.stdout, end="")
    print(f"[{time.monotonic() - started:.0f} s]", flush=True)
    if run.returncode or "Traceback" in run.stdout:
        subprocess.run([".venv/bin/neonblue", "down"], cwd=checkout, env=environment, user=owner, check=False)
        raise SystemExit(f"failed with {run.returncode}: {step.strip()}")


def environment_of(home: Path) -> dict[str, str]:
    """Nothing of this user's but where packages come from."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "npm_"))
        or re.search(r"_proxy$|CERT|CA_BUNDLE", name, re.IGNORECASE)
        if not name.endswith("CACHE_DIR")
    }
    return {**kept, "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def give_to(home: Path) -> int | None:
    """Hand the folder to a user who is not root; who that is. None: this one is not root."""
    if os.geteuid():
        return None
    user = pwd.getpwnam(USER)
    for path in (home, *home.rglob("*")):
        os.lchown(path, user.pw_uid, user.pw_gid)
    return user.pw_uid


def write_own_file(path: Path) -> None:
    """A file like that of README's example: players by gate, and whether they came back after a week."""
    rows = ["userid,test_version,retention_7"]
    rows += [f"{n},gate_{(30, 40)[n % 2]},{n % 20 < (4, 3)[n % 2] * 2 - n % 2}" for n in range(4_000)]
    path.write_text("\n".join(rows) + "\n")


def arguments(given: Sequence[str]) -> str:
    return given[0] if given else "python3"


if __name__ == "__main__":
    main(arguments(sys.argv[1:]))
