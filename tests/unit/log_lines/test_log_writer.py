"""A log line that can't be written harms nobody and is counted."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neonblue.log_lines import LogLines

FULL = Path("/dev/full")

_PROGRAM = """
import sys
from api.logs import LINES, configure_logs
import structlog
configure_logs()
full, log = sys.stderr, structlog.get_logger("test")
log.info("lost"); log.error("lost as well", exc_info=ValueError())
sys.stderr = open(sys.argv[1], "w")
log.info("first"); log.info("second")
print(LINES.dropped)
"""


def test_lines_on_a_full_disk_are_counted_and_that_is_told_once(tmp_path: Path) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(tmp_path / "log")],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=True,
        )

    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert done.stdout == "2\n"
    assert [(line["event"], line.get("count")) for line in said] == [
        ("first", None),
        ("log_lines_dropped", 2),
        ("second", None),
    ]


def test_a_closed_stream_is_no_error(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    stream.close()
    lines = LogLines(lambda: stream)

    lines.msg("lost")

    assert lines.dropped == 1


def test_the_half_of_a_line_that_fitted_spoils_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("a") as stream:
        lines = LogLines(lambda: stream)
        with files_of_at_most(10):
            lines.msg("the first line, of which a part fits")
        lines.msg("the second")

    assert lines.dropped == 1
    assert log.read_text().splitlines()[:2] == ["the first ", "the second"]


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_stream_without_a_file_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    LogLines(lambda: sys.stderr).msg("für alle")

    assert capsys.readouterr().err == "für alle\n"
