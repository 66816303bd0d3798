"""A run as a trace, in a process of its own as Dagster starts it, sent to a collector."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.tracing import collecting

_PROGRAM = """
import sys
from dagster import DagsterInstance, execute_job, job, op, reconstructable
from neonblue.tracing import CURRENT, traceparent
from orchestration.run_executor import known_run_executor
from orchestration.run_trace import trace_of_now

RESULTS = {"results": [
    {"unique_id": "model.neonblue.good", "status": "success", "timing": [
        {"name": "execute", "started_at": "2026-03-01T00:00:00.5Z", "completed_at": "2026-03-01T00:00:02Z"}]},
    {"unique_id": "test.neonblue.bad", "status": "fail", "timing": [
        {"name": "execute", "started_at": "2026-03-01T00:00:02Z", "completed_at": "2026-03-01T00:00:03Z"}]},
    {"unique_id": "model.neonblue.skipped", "status": "skipped", "timing": []},
]}

@op
def build():
    trace_of_now().dbt(RESULTS)
    print("carried", traceparent(CURRENT.get()), file=sys.stderr)

@op
def breaks(before):
    raise ValueError("ann")

@op
def never(before):
    pass

@job(executor_def=known_run_executor)
def work():
    never(breaks(build()))

if __name__ == "__main__":
    with DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as instance:
        print("run", execute_job(reconstructable(work), instance).run_id, file=sys.stderr)
    assert trace_of_now() is None and CURRENT.get() is None
"""


def test_a_run_s_steps_and_dbt_s_nodes_are_one_trace(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(_PROGRAM)
    with collecting() as collector:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "program.py"],
            capture_output=True,
            text=True,
            check=True,
            env={
                **os.environ,
                "DAGSTER_HOME": "",
                "NEONBLUE_CLICKHOUSE_URL": "http://127.0.0.1:9",
                "NEONBLUE_DATA_DIR": str(tmp_path),
                "NEONBLUE_TRACES_ENDPOINT": collector.endpoint,
                "NEONBLUE_TRACES_SAMPLE_RATIO": "0",  # of requests; runs always are
                "PYTHONPATH": str(Path(__file__).parents[3]),
            },
            cwd=tmp_path,
        )
    said = [line.split() for line in done.stderr.splitlines() if line.startswith(("carried ", "run "))]
    carried, run_id = (words[1] for words in said)
    spans = {span.name: span for span in collector.spans}

    assert set(spans) == {"run work", "build", "breaks", "model.neonblue.good", "test.neonblue.bad"}
    run, build = spans["run work"], spans["build"]
    assert {span.trace_id for span in spans.values()} == {run.trace_id}
    assert (run.parent, run.links, run.attributes) == (
        "", (), {"neonblue.run_id": run_id, "neonblue.job": "work"},
    )  # fmt: skip
    assert carried == f"00-{run.trace_id}-{build.span_id}-01"
    assert {spans[name].parent for name in ("build", "breaks")} == {run.span_id}
    good, bad = spans["model.neonblue.good"], spans["test.neonblue.bad"]
    assert {good.parent, bad.parent} == {build.span_id}
    assert (good.end - good.start, good.failed, bad.failed) == (1.5, False, True)
    assert (spans["breaks"].failed, build.failed) == (True, False)
    assert "ann" not in repr(collector.spans)
