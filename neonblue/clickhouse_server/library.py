"""Loads the engine's library."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any


@cache
def load() -> Any:
    """chdb's extension module, without the package around it, which imports pyarrow and asks a query (60 MB, 0.3 s).

    The engine takes its time zone from the environment, once; days here are UTC. It finds its helper libraries
    beside it from the working directory. Raises ModuleNotFoundError where chdb-core is not installed.
    """
    package = importlib.util.find_spec("chdb")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("chdb-core is not installed: install neonblue[stack]", name="chdb")
    os.environ["TZ"] = "UTC"
    folder = Path(package.origin).parent
    path = str(folder / "_chdb.abi3.so")
    with chdir(folder):
        loader = importlib.machinery.ExtensionFileLoader("_chdb", path)
        spec = importlib.util.spec_from_file_location("_chdb", path, loader=loader)
        if spec is None:
            raise ModuleNotFoundError(f"{path} can't be loaded", name="chdb")
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    return module
