"""What of the statistics no part of the platform calls is said to be so: in its docstring, and on the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = "neonblue.statistics"
HOME = ROOT / "neonblue" / "statistics"
PLATFORM = ("neonblue", "api", "orchestration")
SENTENCE = "Library only: no part of the platform calls it."


@dataclass(frozen=True, order=True)
class Name:
    """What a module defines; the module itself where there is no name."""

    module: str
    name: str = ""


@dataclass
class Engine:
    """The modules of the statistics, and what each of their definitions refers to."""

    trees: dict[str, ast.Module]
    packages: set[str]
    refers: dict[Name, set[Name]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Engine:
        paths = sorted(HOME.rglob("*.py"))
        trees = {_dotted(path): ast.parse(path.read_text()) for path in paths}
        engine = cls(trees, {_dotted(path) for path in paths if path.name == "__init__.py"})
        for module in engine.modules:
            bound, own = engine.bound(trees[module]), _definitions(trees[module])
            for name, node in own.items():
                here = {each: Name(module, each) for each in own}
                engine.refers[Name(module, name)] = engine.named(node, here | bound)
        return engine

    @property
    def modules(self) -> list[str]:
        return [module for module in self.trees if module not in self.packages]

    def found(self, module: str, name: str) -> Name:
        """What `from module import name` gives, through the packages that pass it on."""
        if module not in self.packages:
            return Name(module, name)
        if f"{module}.{name}" in self.trees:
            return Name(f"{module}.{name}")
        for node in self.trees[module].body:
            for each in node.names if isinstance(node, ast.ImportFrom) else ():
                if (each.asname or each.name) == name:
                    return self.found(str(node.module), each.name)  # type: ignore[union-attr]
        raise AssertionError(f"{module} has no {name}")

    def bound(self, tree: ast.AST) -> dict[str, Name]:
        """The names that a file takes from the statistics, wherever in it."""
        names = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not [each.name for each in node.names if each.name.startswith(PACKAGE)]
            elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}."):
                names |= {
                    each.asname or each.name: self.found(str(node.module), each.name) for each in node.names
                }
        return names

    def named(self, node: ast.AST, names: dict[str, Name]) -> set[Name]:
        """What a piece of code refers to, of these names and by attribute of the modules among them."""
        found = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in names:
                found.add(names[each.id])
            elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
                module = names.get(each.value.id)
                if module is not None and not module.name:
                    found.add(Name(module.module, each.attr))
        return found

    def reached(self) -> set[Name]:
        """All that the platform's files refer to, and what that refers to in turn."""
        todo: set[Name] = set()
        for path in _platform():
            tree = ast.parse(path.read_text())
            bound = self.bound(tree)
            todo |= self.named(tree, bound) | {name for name in bound.values() if name.name}
        seen: set[Name] = set()
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= self.refers.get(name, set()) - seen
        return seen


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _platform() -> Iterator[Path]:
    for folder in PLATFORM:
        for path in (ROOT / folder).rglob("*.py"):
            if HOME not in path.parents and PACKAGE in path.read_text():
                yield path


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {n.id: node for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return found


@cache
def uncalled() -> tuple[set[str], set[str]]:
    """Modules that the platform reaches by no name, and functions and classes of the other modules."""
    engine = Engine.read()
    reached = engine.reached()
    live = {name.module for name in reached}
    modules = {module for module in engine.modules if module not in live}
    names = {
        f"{name.module}.{name.name}"
        for name in engine.refers
        if name.module in live and name not in reached and not name.name.startswith("_")
        if isinstance(_definitions(engine.trees[name.module])[name.name], ast.FunctionDef | ast.ClassDef)
    }
    return ({m.removeprefix(f"{PACKAGE}.") for m in modules}, {n.removeprefix(f"{PACKAGE}.") for n in names})


def test_the_page_lists_what_the_platform_does_not_call() -> None:
    page = (ROOT / "docs" / "statistics.md").read_text()
    (section,) = re.findall(r"^## Library only\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    rows = [re.findall(r"`([\w.]+)`", row) for row in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)]
    modules = {row[0] for row in rows if len(row) == 1}
    names = {f"{row[0]}.{name}" for row in rows for name in row[1:]}

    assert (modules, names) == uncalled()


def test_a_module_that_the_platform_does_not_call_says_so() -> None:
    telling = {
        module.removeprefix(f"{PACKAGE}.")
        for module, tree in Engine.read().trees.items()
        if SENTENCE in (ast.get_docstring(tree) or "")
    }

    assert telling == uncalled()[0]
