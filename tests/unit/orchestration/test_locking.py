"""One writer of the models at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from neonblue.settings import Settings
from orchestration.locking import acquire, building

_HOLDER = """
import sys, time
from pathlib import Path
from neonblue.settings import Settings
from orchestration.locking import acquire
acquire(Settings(data_dir=Path(sys.argv[1])), print)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_let_go_when_its_block_ends(tmp_path: Path) -> None:
    settings, told = Settings(data_dir=tmp_path), list[str]()

    with building(settings, told.append):
        pass
    os.close(acquire(settings, told.append))

    assert told == []


def test_a_lock_dies_with_its_holder_and_names_it_while_it_lives(tmp_path: Path) -> None:
    told: list[str] = []
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def kill(who: str) -> None:
            told.append(who)
            holder.kill()

        with building(Settings(data_dir=tmp_path), kill):
            assert told == [f"the build of process {holder.pid}"]
