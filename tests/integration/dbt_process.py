"""Runs dbt's command line for tests: one process has loaded dbt and the parsed project, and forks for each command.

A dbt of its own takes seconds to import its packages, and seconds more to parse the project, as other values of its
variables make it do. A fork has both at hand, and nothing of the commands before it. What the models' variables say
is read when a model is compiled; none is read when the project is parsed.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import TextIO

from dbt.adapters.clickhouse import Plugin
from dbt.cli.main import cli
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder

_PARSED = "partial_parse.msgpack"
_TAKES_THE_PARSED = {"run", "build", "test"}
"""Other commands parse the project themselves, and write what they found."""
_DEFECT = 70


def command(
    arguments: list[str], environment: dict[str, str], output: Path, manifest: Manifest | None
) -> int:
    """The exit code of `dbt`, run in a fork with its output in two files of this folder."""
    assert threading.active_count() == 1, (
        "a fork has none of the other threads, and may wait for them for ever"
    )
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = _DEFECT
    try:
        os.environ.clear()
        os.environ.update(environment)
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
            os.close(file)
        cli.main(arguments, prog_name="dbt", obj={"manifest": manifest})
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def parsed(environment: dict[str, str]) -> Manifest:
    """The project, parsed anew. Raises ``RuntimeError`` with dbt's words where it does not parse."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        own = environment | {"DBT_TARGET_PATH": folder, "DBT_LOG_PATH": folder}
        if command(["parse"], own, output, None):
            raise RuntimeError((output / "stdout").read_text() + (output / "stderr").read_text())
        manifest: Manifest = Manifest.from_msgpack(
            (output / _PARSED).read_bytes(), decoder=extended_mashumuro_decoder
        )
    manifest.build_parent_and_child_maps()
    return manifest


def serve(requests: TextIO, answers: TextIO) -> None:
    """Run each line's command and answer with a line: its exit code."""
    manifest: Manifest | None = None
    for line in requests:
        asked = json.loads(line)
        arguments, environment = asked["arguments"], asked["environment"]
        takes_it = arguments[0] in _TAKES_THE_PARSED
        if takes_it and manifest is None:
            manifest = parsed(environment)
            gc.freeze()
        code = command(arguments, environment, Path(asked["output"]), manifest if takes_it else None)
        answers.write(f"{code}\n")
        answers.flush()


if __name__ == "__main__":
    assert Plugin is not None  # imported before the first fork
    serve(sys.stdin, sys.stdout)
