"""``python -m neonblue.clickhouse_server.rights``: makes the lists of what a reader may use anew.

Run it after an upgrade of the engine or a change of `reviewed.toml`, and review each name that it calls new before
committing the lists: a new function is on its list unless `reviewed.toml` refuses it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from neonblue.clickhouse_server import library

_FOLDER = Path(__file__).parent
QUERIES = {
    "settings": "SELECT name FROM system.settings",
    "formats": "SELECT name FROM system.formats WHERE is_output",
    "functions": "SELECT DISTINCT lower(name) FROM system.functions",
    "aggregates": "SELECT DISTINCT lower(name) FROM system.functions WHERE is_aggregate",
    "table_functions": "SELECT lower(name) FROM system.table_functions",
    "system_tables": "SELECT name FROM system.tables WHERE database = 'system'",
}


def allowed(names: Iterable[str], review: Mapping[str, Any]) -> list[str]:
    """Those of the engine's names that a review allows, sorted."""
    refuse = [pattern.lower() for pattern in review.get("refuse", {})]
    allow = [pattern.lower() for pattern in review["allow"]]
    return sorted(
        name for name in set(names) if _matches(name.lower(), allow) and not _matches(name.lower(), refuse)
    )


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def main() -> int:
    reviewed = tomllib.loads((_FOLDER / "reviewed.toml").read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        engine = library.load().connect(folder)
        for kind, query in QUERIES.items():
            names = engine.query(query, "TabSeparated", params={}).bytes().decode().split("\n")[:-1]
            chosen = allowed(names, reviewed["functions" if kind == "aggregates" else kind])
            _write(_FOLDER / f"{kind}.txt", chosen, len(set(names)))
        engine.close()
    return 0


def _write(path: Path, chosen: list[str], of: int) -> None:
    before = set(path.read_text(encoding="utf-8").split()) if path.exists() else set()
    path.write_text("".join(f"{name}\n" for name in chosen), encoding="utf-8")
    print(f"{path.stem}: {len(chosen)} of the engine's {of}")
    for sign, names in (("new", set(chosen) - before), ("gone", before - set(chosen))):
        if before and names:
            print(f"  {sign}: {', '.join(sorted(names))}")


if __name__ == "__main__":
    sys.exit(main())
