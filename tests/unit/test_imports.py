"""What the tests import is there: one that can't be imported is a file whose tests are all gone.

What is the project's is imported. What is the tests' own is read: to import them would run what they do at once.
"""

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


def _within_tests(path: Path, node: ast.ImportFrom) -> Path | None:
    """The file or folder that the import names among the tests; None where it names something else."""
    if node.level:
        folder = path.parents[node.level - 1]
        return folder.joinpath(*(node.module or "").split(".")) if node.module else folder
    first, *rest = (node.module or "").split(".")
    return TESTS.joinpath(*rest) if first == TESTS.name else None


def _top_level(path: Path) -> set[str]:
    """The names that a module makes or imports, also under a condition."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import(names=found) | ast.ImportFrom(names=found):
                names |= {one.asname or one.name.partition(".")[0] for one in found}
    return names


def test_every_name_that_a_test_imports_from_another_is_there() -> None:
    known: dict[Path, set[str]] = {}
    gone, seen = [], 0
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = _within_tests(path, node) if isinstance(node, ast.ImportFrom) else None
            if place is None or not isinstance(node, ast.ImportFrom):
                continue
            module = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
            if module.is_file() and module not in known:
                known[module] = _top_level(module)
            for name in node.names:
                seen += 1
                part = place / name.name
                there = (
                    name.name in known.get(module, ()) or part.is_dir() or part.with_suffix(".py").is_file()
                )
                if not there:
                    gone.append((str(path.relative_to(TESTS)), str(place.relative_to(TESTS)), name.name))
    assert seen > 1_000
    assert gone == []
