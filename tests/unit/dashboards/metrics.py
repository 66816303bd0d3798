"""The names of all that is told to Prometheus."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import yaml
from prometheus_client import CollectorRegistry

from neonblue.monitoring.samples import Family

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def exported(registry: CollectorRegistry, package: ModuleType) -> set[str]:
    """Names of the registry's samples, and of the families that a package's modules define."""
    found = {
        f"{family.name}{suffix}"
        for family in registry.collect()
        for suffix in _SUFFIXES.get(family.type, ("",))
    }
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            found |= {family.name for family in _families(importlib.import_module(module.name))}
    return found


def _families(module: ModuleType) -> Iterable[Family]:
    for value in vars(module).values():
        if isinstance(value, Family):
            yield value
        elif isinstance(value, dict):
            yield from (one for one in value.values() if isinstance(one, Family))


def recorded(folder: Path) -> set[str]:
    """Names of the recording rules in a folder."""
    return {
        rule["record"]
        for file in folder.glob("*.yml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
