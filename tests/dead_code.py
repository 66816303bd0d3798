"""`python -m tests.dead_code`: vulture on all code that ships; what no line of it names is dead. Tests are no users.

Not counted: fields of values, which are read whole, as JSON, rows, templates or settings; attributes that are set on
another's object; and what `ALLOWED` names, each with who does use it. In `neonblue.statistics`, a library, a test is a
user. An allowed name that some line uses, or that is gone, is told as well.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
CODE = ("neonblue", "api", "orchestration", "distributions")
LIBRARY = ROOT / "neonblue" / "statistics"
# What a framework calls, since it was handed over to it.
REGISTERED = ["@router.*", "@*.command", "@field_validator", "@model_validator"]

ALLOWED = {
    "Alembic": {"down_revision"},
    "Dagster": {
        "WatchedRunLauncher",
        "check_run_worker_health",
        "create_request_context",
        "defs",
        "from_config_value",
        "get_asset_key",
        "get_description",
        "get_group_name",
        "get_owners",
        "supports_check_run_worker_health",
    },
    "http.server": {"daemon_threads", "sys_version", "do_GET", "do_POST", "log_message"},
    "importlib, by the table of commands": {"demo", "env", "import_file"},
    "Jinja, in a template": {"can_be_revoked", "is_checked", "is_narrowed", "numeric"},
    "mypy, in a text": {"GrpcServerCodeLocation"},
    "opentelemetry": {"force_flush", "on_end", "on_start", "parent_context"},
    "Prometheus' registry, where they enter themselves": {"LOG_LINES_DROPPED", "SPANS_DROPPED", "SPANS_SENT"},
    "Python": {"__getattr__"},
    "PyYAML": {"construct_mapping"},
    "the catalogue of services, which reads their folder": {"Disk", "FetchJars", "Valkey"},
    "structlog": {"debug", "err", "fatal"},
    "tests of stacks that run": {"pids", "restart_counts", "wait_restarted"},
    "uvicorn": {"send_400_response"},
    "who goes through the enumeration": {"BODY", "CHANGE", "HEAD", "PDF", "REFUSED"},
    "nobody: what is kept is not closed": {"_parents"},
}


@cache
def excused_lines(path: Path) -> set[int]:
    """The lines of a file that declare a field of a class, or set an attribute of another's object."""
    return set(_excused(ast.parse(path.read_text(encoding="utf-8"))))


def _excused(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (line.lineno for line in node.body if isinstance(line, ast.AnnAssign))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and not _is_self(node.value):
            yield node.lineno


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def main() -> int:
    """Print what is dead; 1 where anything is."""
    found = Vulture(ignore_decorators=REGISTERED)
    found.scavenge([str(ROOT / folder) for folder in CODE])
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tested = {name for text in tests for name in re.findall(r"\w+", text)}
    allowed = {name for names in ALLOWED.values() for name in names}
    told, met = [], set()
    for item in found.get_unused_code(min_confidence=60):
        path = Path(item.filename)
        if item.typ in ("variable", "attribute") and item.first_lineno in excused_lines(path):
            continue
        if path.is_relative_to(LIBRARY) and item.name in tested:
            continue
        met.add(item.name)
        if item.name not in allowed:
            told.append(
                f"{path.relative_to(ROOT)}:{item.first_lineno}: nothing uses the {item.typ} {item.name}"
            )
    told += [f"tests/dead_code.py: {name} need not be allowed" for name in sorted(allowed - met)]
    for line in told:
        print(line)
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
