"""Every command, where its output can't be written, or not in every sign: a sentence or silence, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

_DATA = "unit,variant,revenue\n" + "".join(
    f"u{n},{('control', 'treatment')[n % 2]},{n % 7}\n" for n in range(60)
)
_FULL = Path("/dev/full")
_COMMANDS = [
    ("analyze", "data.csv"),
    ("analyze", "data.csv", "--json"),
    ("settings", "--json"),
    ("experiment", "example"),
    ("--help",),
    ("--version",),
]
_LOSSY = [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text(_DATA)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "neonblue.cli.main", *arguments]


def environment(**further: str) -> dict[str, str]:
    root = str(Path(__file__).parents[3])
    return {**os.environ, "PYTHONPATH": root, **further}


@pytest.mark.skipif(not _FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", _COMMANDS)
def test_a_full_disk_is_one_sentence(arguments: tuple[str, ...], folder: Path) -> None:
    with _FULL.open("w") as full:
        done = subprocess.run(
            command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == "error  standard output can't be written: No space left on device\n"


@pytest.mark.parametrize("arguments", _COMMANDS)
def test_who_closes_the_pipe_early_hears_nothing(arguments: tuple[str, ...], folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            command(*arguments),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize("arguments", ["power --baseline 0.1 --mde 10%", "power --baseline nothing"])
def test_closed_streams_are_no_defect(closed: str, arguments: str, folder: Path) -> None:
    shell = f"exec {quote(sys.executable)} -m neonblue.cli.main {arguments} {closed}"

    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, cwd=folder, env=environment(), check=False
    )

    assert done.returncode in (0, 1, 2)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception" not in done.stdout + done.stderr


@pytest.mark.parametrize("encoding", _LOSSY)
@pytest.mark.parametrize("arguments", _COMMANDS)
def test_signs_that_the_encoding_lacks_have_the_nearest_in_their_place(
    arguments: tuple[str, ...], encoding: dict[str, str], folder: Path
) -> None:
    done = subprocess.run(
        command(*arguments), capture_output=True, cwd=folder, env=environment(**encoding), check=False
    )

    said = done.stderr.decode("latin-1")
    assert "Traceback" not in said
    assert done.returncode == 0
    if "--json" in arguments:
        json.loads(done.stdout)


def test_a_minus_stays_a_minus_in_ascii(folder: Path) -> None:
    done = subprocess.run(
        command("power", "--baseline", "0.1", "--mde=-10%"),
        capture_output=True,
        cwd=folder,
        env=environment(PYTHONIOENCODING="ascii"),
        check=False,
    )

    assert b"-1.00 pp" in done.stdout
    assert b"-10.0 %" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("sql",),
        ("experiment", "show"),
        ("experiment", "list", "--owner"),
        ("token", "create", "--scope=read", "--name"),
    ],
)
def test_an_argument_that_is_no_text_is_told(arguments: tuple[str, ...], folder: Path) -> None:
    given = {"NEONBLUE_API_PORT": "9", "NEONBLUE_CLICKHOUSE_PORT": "9"}
    given |= {"NEONBLUE_API_TOKEN": "t", "NEONBLUE_CLICKHOUSE_READONLY_PASSWORD": "p"}

    done = subprocess.run(
        [*map(str.encode, command(*arguments)), b"caf\xe9"],
        capture_output=True,
        cwd=folder,
        env=environment(**given),
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(b"error  ")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", ["sql -", "experiment create -f -"])
def test_a_closed_standard_input_is_empty(arguments: str, folder: Path) -> None:
    shell = f"exec {quote(sys.executable)} -m neonblue.cli.main {arguments} <&-"
    given = {"NEONBLUE_CLICKHOUSE_PORT": "9", "NEONBLUE_CLICKHOUSE_READONLY_PASSWORD": "p"}

    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, cwd=folder, env=environment(**given), check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith(b"error  ")


def test_a_name_that_is_no_text_is_told(folder: Path) -> None:
    done = subprocess.run(
        [*map(str.encode, command("analyze")), b"caf\xe9.csv"],
        capture_output=True,
        cwd=folder,
        env=environment(),
        check=False,
    )

    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"caf" in done.stderr
