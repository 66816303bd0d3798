"""Reference cases of the statistics engine: how they are read, computed and compared.

Those of `tests/unit/statistics/cases` are always compared with. Further ones may lie in a folder beside the
repository, or in the one that `--cases` names: of these, whatever differs from the shipped ones is compared with too.

A case file `<method>.json` has an adapter module `reference/<method>.py` with

    compute(case: Case) -> dict            the engine's numbers under the field names of `case.expected`
    SKIPPED: dict[str, str] = {}           optional: field name -> why it is not the engine's to compute
    tolerance(case, path) -> (rtol, atol) | None    optional: where the general rule below does not fit

Where a case expects `{"error": CODE}`, `compute` gives `{"error": <any status code>}` in that place, beside
what is still defined; input that the engine refuses (ValueError) is such a status of the whole case. A null is met
by null or by a status. Strings are annotations and are not compared; every number, truth value and null is.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[4]
SHARED = REPOSITORY.parent / "shared"
SHIPPED = Path(__file__).resolve().parents[1] / "cases"
FURTHER = SHARED / "statistics" / "cases"
# Where rules meet: each is compared by the test of its subject.
EDGES = SHIPPED / "edges"
FURTHER_EDGES = SHARED / "statistics" / "cases-2"

# What other engines answered, kept in the cases for the record.
ANNOTATIONS = {"engines", "engine_errors"}
_UNDERFLOW = 1e-300
_LEVEL = re.compile(r"ci\d+(_\d+)?")


@dataclass(frozen=True)
class Case:
    """One reference case; `folder` is where its file lies, `method` its file's name."""

    method: str
    name: str
    inputs: Mapping[str, Any]
    options: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: Mapping[str, Any]
    folder: Path = dataclasses.field(compare=False)

    def data_file(self, relative: str) -> Path:
        """A data file the case names, looked for beside and above the cases, then beside the repository."""
        candidates = [folder / relative for folder in (self.folder, *self.folder.parents, SHARED)]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise FileNotFoundError(relative)


def load_cases(folder: Path) -> list[Case]:
    """Every case of every file in the folder, in the files' order."""
    cases = []
    for path in sorted(folder.glob("*.json")):
        for entry in json.loads(path.read_text()):
            fields = {k: entry.get(k) or {} for k in ("inputs", "options", "expected", "tolerance")}
            cases.append(Case(path.stem, entry["name"], folder=folder.resolve(), **fields))
    return cases


def all_cases(further: Path) -> list[Case]:
    """The shipped cases, then those of a folder, where there is one, that differ from all of them."""
    shipped = load_cases(SHIPPED)
    return shipped + [case for case in load_cases(further) if case not in shipped]


def edge_cases(method: str) -> list[Case]:
    """The shipped cases at the edges of a method, and those beside the repository that differ from them.

    FileNotFoundError where none is shipped, so that no test passes for want of cases.
    """
    shipped = [case for case in load_cases(EDGES) if case.method == method]
    if not shipped:
        raise FileNotFoundError(EDGES / f"{method}.json")
    further = [case for case in load_cases(FURTHER_EDGES) if case.method == method]
    return shipped + [case for case in further if case not in shipped]


def adapter(method: str) -> ModuleType:
    """The adapter of a case file; LookupError for a file name nobody knows."""
    if not (Path(__file__).parent / f"{method}.py").is_file():
        raise LookupError(method)
    return importlib.import_module(f"{__name__}.{method}")


def compute(case: Case, module: ModuleType) -> Mapping[str, Any]:
    """The engine's numbers for a case; a status where it refuses the case's input."""
    try:
        numbers: Mapping[str, Any] = module.compute(case)
    except ValueError as refused:
        return {"error": str(refused)}
    return numbers


def differences(case: Case, actual: Mapping[str, Any], module: ModuleType) -> list[str]:
    """Every field that the engine missed or got wrong, as readable lines; empty when all agree."""
    return list(_compare(case, module, (), case.expected, actual))


def _compare(
    case: Case, module: ModuleType, path: tuple[str, ...], expected: Any, actual: Any
) -> Iterator[str]:
    if isinstance(expected, Mapping):
        yield from _compare_fields(case, module, path, expected, actual)
    elif isinstance(expected, list):
        if not isinstance(actual, list | tuple) or len(actual) != len(expected):
            yield f"{'.'.join(path)}: expected {expected}, got {actual}"
            return
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _compare(case, module, (*path, str(index)), left, right)
    else:
        yield from _compare_leaf(case, module, path, expected, actual)


def _compare_fields(
    case: Case, module: ModuleType, path: tuple[str, ...], expected: Mapping[str, Any], actual: Any
) -> Iterator[str]:
    if not isinstance(actual, Mapping):
        yield f"{'.'.join(path)}: expected fields {sorted(expected)}, got {actual!r}"
        return
    if "error" in expected:
        yield from _compare_error(path, actual)
    elif actual.get("error") is not None and None not in expected.values():
        yield f"{'.'.join(path)}: unexpected status {actual['error']}"
    skipped = getattr(module, "SKIPPED", {})
    for field, value in expected.items():
        if field in ANNOTATIONS or field in skipped or _is_annotation(value):
            continue
        computed = _named(field, actual)
        if computed is None and not (value is None and actual.get("error")):
            yield f"{'.'.join((*path, field))}: not computed"
        elif computed is not None:
            yield from _compare(case, module, (*path, field), value, actual[computed])


def _named(field: str, actual: Mapping[str, Any]) -> str | None:
    """The field's name among the computed ones: its own, or that of the same interval under its level's name."""
    if field in actual:
        return field
    return next((name for name in actual if _LEVEL.sub("ci", name) == _LEVEL.sub("ci", field)), None)


def _compare_error(path: tuple[str, ...], actual: Mapping[str, Any]) -> Iterator[str]:
    """A status stands alone: no p-value and no interval beside it."""
    if not actual.get("error"):
        yield f"{'.'.join(path)}: expected a status, got {dict(actual)}"
    for field, value in actual.items():
        inferential = field.startswith(("p_", "ci", "log10_p")) and field not in ("p_control", "p_treatment")
        if inferential and value is not None and not isinstance(value, Mapping):
            yield f"{'.'.join((*path, field))}: {value} beside a status"


def _compare_leaf(
    case: Case, module: ModuleType, path: tuple[str, ...], expected: Any, actual: Any
) -> Iterator[str]:
    name = ".".join(path)
    if expected is None and isinstance(actual, Mapping) and actual.get("error"):
        return
    if expected is None or isinstance(expected, bool):
        if actual is not expected:
            yield f"{name}: expected {expected}, got {actual!r}"
        return
    if actual is None or isinstance(actual, bool | str | list | tuple | Mapping):
        yield f"{name}: expected {expected}, got {actual!r}"
        return
    wanted, got = float(expected), float(actual)
    override = getattr(module, "tolerance", lambda *_: None)(case, path)
    rtol, atol = override or tolerance(case.tolerance, path)
    if not (wanted == got or abs(wanted - got) <= max(rtol * abs(wanted), atol)):
        yield f"{name}: expected {wanted!r}, got {got!r} (rtol {rtol}, atol {atol})"


def tolerance(stated: Mapping[str, Any], path: tuple[str, ...]) -> tuple[float, float]:
    """The case's (rtol, atol) for a field.

    Those of the longest matching prefix (`p_rtol`, `se_rtol`, …), else the plain ones. A prefix matches when
    its words are among the words of the field's name.
    """
    field = next((part for part in reversed(path) if not part.isdigit()), "")
    words = set(field.split("_"))
    prefixes = {key.rsplit("_", 1)[0] for key in stated if key.endswith(("_rtol", "_atol"))}
    matching = [p for p in prefixes if set(p.split("_")) <= words and not (p == "p" and _is_rate(field))]
    floor = _UNDERFLOW if _is_probability(field) else 0.0
    if matching:
        prefix = max(matching, key=len) + "_"
        return float(stated.get(prefix + "rtol", 0.0)), max(float(stated.get(prefix + "atol", 0.0)), floor)
    return float(stated.get("rtol", 0.0)), max(float(stated.get("atol", 0.0)), floor)


def _is_rate(field: str) -> bool:
    """Success rates are named p as well; they are estimates."""
    return field in ("p_control", "p_treatment", "p_pool")


def _is_probability(field: str) -> bool:
    return "p" in field.split("_") and not _is_rate(field)


def _is_annotation(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return True
