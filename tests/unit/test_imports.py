"""What the tests import is there: one that can't be imported is a file whose tests are all gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parents[1]
OURS = ("neonblue", "api", "orchestration")


def _imported() -> Iterator[tuple[Path, str, str]]:
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OURS:
                yield from ((path, node.module or "", name.name) for name in node.names)


def _is_there(module: str, name: str) -> bool:
    try:
        return hasattr(import_module(module), name) or import_module(f"{module}.{name}") is not None
    except ModuleNotFoundError:
        return False


def test_every_name_that_a_test_imports_is_there() -> None:
    imported = list(_imported())
    assert len(imported) > 1_000
    wanted = {(module, name) for _, module, name in imported}
    gone = {(module, name) for module, name in wanted if not _is_there(module, name)}
    assert [(path.name, module, name) for path, module, name in imported if (module, name) in gone] == []
