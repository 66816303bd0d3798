"""`neonblue logs` on the files that a stack has left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neonblue.cli.main import app
from neonblue.stack import catalogue
from neonblue.stack.supervisor.nodes import Service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "neonblue.env").write_text("")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "kafka.log").write_text("2026-11-30T01:00:01.000Z one\n2026-11-30T01:00:03.000Z three\n")
    (logs / "api.log").write_text(
        line(
            "2026-11-30T01:00:02.000000Z",
            "error",
            "two",
            "api",
            text="a\x1b[2Jb\u202e",
            exception="Trace:\n  x",
        )
    )
    (logs / "supervisor.log").write_text(
        line("2026-11-30T01:00:00.000000Z", "warning", "step_failed", node="jars", error="no network")
        + line("2026-11-30T01:00:04.000000Z", "info", "service_ready", node="jars-like")
    )
    return tmp_path


def line(timestamp: str, level: str, event: str, service: str = "supervisor", **fields: str) -> str:
    head = {"timestamp": timestamp, "level": level, "event": event, "service": service}
    return json.dumps(head | fields) + "\n"


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["logs", *arguments, "--data-dir", str(folder)])


def test_all_logs_come_in_the_order_of_time(folder: Path) -> None:
    done = run(folder)

    assert done.stdout.splitlines() == [
        '2026-11-30T01:00:00.000Z warning  supervisor      step_failed node=jars error="no network"',
        "2026-11-30T01:00:01.000Z          kafka           one",
        '2026-11-30T01:00:02.000Z error    api             two text="a\\u001b[2Jb\\u202e"',
        "    Trace:",
        "      x",
        "2026-11-30T01:00:03.000Z          kafka           three",
        "2026-11-30T01:00:04.000Z info     supervisor      service_ready node=jars-like",
    ]


def test_what_looks_like_a_line_of_ours_in_anothers_log_is_shown_as_text(folder: Path) -> None:
    forged = line("\x1b[2J\x07\n", "critical", "fake", "api")
    (folder / "logs" / "kafka.log").write_text(
        f"2026-11-30T01:00:01.000Z one\n{forged}\x1b[31mred\x1b[0m\x1b]0;title\x07\n"
    )
    (folder / "logs" / "api.log").write_text(line("\x1b[2J\x07", "critical", "fake", "api"))

    for shown in (run(folder).stdout, run(folder, "kafka").stdout, run(folder, "api").stdout):
        assert not set("\x1b\x07") & set(shown)
    assert "red" in run(folder, "kafka").stdout
    assert [json.loads(one)["service"] for one in run(folder, "kafka", "--json").stdout.splitlines()] == [
        "kafka"
    ] * 3


def test_lines_of_the_version_before_are_read_on(folder: Path) -> None:
    old = (
        'timestamp=2026-11-29T01:00:00.000000Z level=warning event=step_failed step=jars error="no network"\n'
    )
    (folder / "logs" / "supervisor.log").write_text(old)

    assert "step_failed" in run(folder, "jars").stdout
    assert run(folder).stdout.splitlines()[0] == (
        '2026-11-29T01:00:00.000Z          supervisor      level=warning event=step_failed step=jars error="no network"'
    )


def test_one_log_of_another_program_comes_as_it_is(folder: Path) -> None:
    assert run(folder, "kafka", "-n", "1").stdout == "2026-11-30T01:00:03.000Z three\n"


def test_for_programs_each_line_is_json_and_ours_are_as_in_the_file(folder: Path) -> None:
    lines = run(folder, "--json").stdout.splitlines()

    assert [json.loads(line)["service"] for line in lines] == [
        "supervisor",
        "kafka",
        "api",
        "kafka",
        "supervisor",
    ]
    assert json.loads(lines[1]) == {
        "timestamp": "2026-11-30T01:00:01.000000Z", "event": "message", "service": "kafka", "message": "one",
    }  # fmt: skip
    assert lines[2] + "\n" == (folder / "logs" / "api.log").read_text()


def test_a_steps_log_is_what_the_supervisor_said_of_it(folder: Path) -> None:
    done = run(folder, "jars")

    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    assert 'error="no network"' in done.stdout


def test_a_step_of_which_nothing_was_said_is_an_answer(folder: Path) -> None:
    done = run(folder, "topics")

    assert done.exit_code == 1
    assert "topics is a step, without a log of its own, and nothing went wrong with it" in done.stderr


def test_an_unknown_name_leads_to_those_there_are(folder: Path) -> None:
    done = run(folder, "oracle")

    assert done.exit_code == 1
    assert "there is no log of oracle; there are: api, kafka, supervisor" in done.stderr


def test_the_help_names_every_service_and_step(folder: Path) -> None:
    shown = " ".join(run(folder, "--help").stdout.replace("│", " ").split())

    assert [name for name in (*catalogue.LOGS, *catalogue.STEPS) if name not in shown] == []


def test_the_names_are_those_of_the_catalogue() -> None:
    from neonblue.settings import Settings

    nodes = catalogue.nodes(Settings(), lambda _: None)

    assert {node.name for node in nodes if isinstance(node, Service)} == set(catalogue.SERVICES)
    assert {node.name for node in nodes if not isinstance(node, Service)} == set(catalogue.STEPS)
