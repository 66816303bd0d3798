"""Dagster's own lines have the form of ours, in its processes and in a run's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import logging, sys
from orchestration.logs import configure_logs
configure_logs("dagster-code")
import structlog
from dagster import DagsterInstance, execute_job, get_dagster_logger, job, op, reconstructable
from dagster._cli import api
from dagster._daemon import controller
from dagster._utils.log import configure_loggers, create_console_logger
from orchestration.run_executor import known_run_executor

for module in (api, controller):
    module.configure_loggers(formatter="colored", log_level="INFO")
logging.getLogger("dagster.code_server").info("Started")
logging.getLogger("dagster.code_server").debug("too much")
create_console_logger("dagster", logging.INFO).info("a sensor says so")

@op
def step(context):
    context.log.info("in the step")
    get_dagster_logger().warning("by the other way")
    structlog.get_logger("ours").error("ours", value=1)
    raise OSError(28, "no room")

@job(executor_def=known_run_executor)
def work():
    step()

if __name__ == "__main__":
    with DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as instance:
        print(execute_job(reconstructable(work), instance).run_id)
    structlog.get_logger("ours").error("afterwards")
"""


def test_every_line_is_json_once_and_those_of_a_run_carry_its_id(tmp_path: Path) -> None:
    """Dagster has `tail` copy what a step writes, and ends it with the step: no line may hang on that."""
    (tmp_path / "program.py").write_text(_PROGRAM)
    slow = tmp_path / "tail"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "program.py"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DAGSTER_HOME": "", "PYTHONPATH": str(Path(__file__).parents[3])}
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    run_id = done.stdout.strip()

    assert {line["service"] for line in lines} == {"dagster-code"}
    by_text = {line.get("message"): line for line in lines}
    assert (by_text["Started"]["event"], by_text["Started"]["logger"]) == ("message", "dagster.code_server")
    assert "too much" not in by_text
    assert by_text["a sensor says so"]["level"] == "info"
    for text in ("in the step", "by the other way"):
        assert [line["run_id"] for line in lines if line.get("message") == text] == [run_id]
        assert (by_text[text]["job"], by_text[text]["step"]) == ("work", "step")
    assert [line["run_id"] for line in lines if line["event"] == "ours"] == [run_id]
    assert "run_id" not in lines[-1]
    (failed,) = [line for line in lines if line["event"] == "step_failure"]
    assert (failed["level"], failed["run_id"]) == ("error", run_id)
    assert "no room" in failed["exception"]
    assert {"run_start", "run_failure"} <= {line["event"] for line in lines}
