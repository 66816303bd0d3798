"""Every command, where nothing is as it should be: a sentence that says what to do, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from neonblue import __version__
from neonblue.cli.main import COMMANDS, app
from neonblue.client.retry import RetryPolicy
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack import env_file
from neonblue.stack.services.inside import kafka_users
from neonblue.stack.supervisor.folder_lock import FolderLock

NEEDING_A_STACK = [
    ("results", "checkout"),
    ("report", "checkout"),
    ("sql", "SELECT 1"),
    ("reconcile",),
    ("audit", "verify"),
    ("simulate", "checkout"),
    ("simulate", "history"),
    ("bench", "ingest"),
    ("bench", "assign"),
    ("bench", "restarts"),
    ("migrate",),
    ("experiment", "list"),
    ("token", "list"),
    ("kafka-user", "list"),
    ("env",),
    ("logs",),
    ("down",),
    ("restart",),
]
ASKING = [
    ("build",),
    *(arguments for arguments in NEEDING_A_STACK if arguments[0] not in ("logs", "down", "restart", "env")),
]
PORTS = ("API", "CLICKHOUSE", "POSTGRES", "DAGSTER", "KAFKA", "VALKEY")

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEONBLUE_"):
            monkeypatch.delenv(name)
    for name in PORTS:
        monkeypatch.setenv(f"NEONBLUE_{name}_PORT", "9")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])


def one_sentence(done: Result, code: int = 1) -> str:
    """What was said: an error and nothing else."""
    said = " ".join(done.stderr.split())
    assert done.exit_code == code, (done.output, done.exception)
    assert said.startswith("error"), said
    assert "Traceback" not in done.output
    for raw in ("HTTPConnection", "psycopg", "Exception", "libpq", "Errno", "Is the server running"):
        assert raw not in done.output
    return said


def started(folder: Path) -> Settings:
    """A folder as a stack leaves it that was stopped."""
    settings = env_file.with_secrets(Settings.load(folder))
    env_file.write(settings)
    return Settings.load(folder)


@pytest.mark.parametrize("arguments", NEEDING_A_STACK)
def test_a_wrong_folder_is_told_as_such(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = one_sentence(run(*arguments))

    assert "there is no stack in" in said
    assert "--data-dir or NEONBLUE_DATA_DIR" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("experiment", "create", "-f"),
        ("experiment", "change", "checkout", "-f"),
    ],
)
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.yaml", None, "No such file"),
        ("broken.yaml", "key: [", "line 1"),
        ("broken.json", '{"key": ', "line 1, column 9"),
        ("empty.yaml", "", "is empty"),
    ],
)
def test_a_document_is_read_before_a_stack_is_asked_for(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], name: str, content: str | None, expected: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)

    said = one_sentence(run(*arguments, str(file)))

    assert expected in said
    assert name in said


def test_what_is_called_wrongly_is_told_before_a_stack_is_asked_for(run: Run) -> None:
    assert "say what is decided" in one_sentence(run("experiment", "conclude", "checkout"), 2)
    assert "no share of traffic" in one_sentence(run("experiment", "ramp", "checkout", "abc"), 2)
    assert "no experiment can be called" in one_sentence(run("results", "a b"))


def test_a_history_without_a_stack_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "neonblue.cli.main", "power", "--history", "x/y", "--data-dir"]

    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("error  ClickHouse does not answer at")
    assert "there is no stack in" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", ASKING)
def test_a_stack_that_does_not_run_is_told_as_such(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As often as ever, without the pauses between.
    monkeypatch.setattr(RetryPolicy, "waits", lambda policy: iter([0.0] * (policy.attempts - 1)))
    monkeypatch.setattr(kafka_users, "_SECONDS", 1.0)
    started(tmp_path)

    said = one_sentence(run(*arguments))

    assert "does not answer at" in said
    assert "start" in said
    assert said.endswith("with 'neonblue up'")


@pytest.mark.parametrize(
    "arguments", [("results", "x"), ("sql", "SELECT 1"), ("audit", "verify"), ("report", "x")]
)
def test_a_service_that_does_not_answer_in_a_running_stack_is_told_as_such(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    started(tmp_path)
    holder = (
        "from neonblue.stack.supervisor.folder_lock import FolderLock; import sys; from pathlib import Path\n"
    )
    holder += "FolderLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"

        said = one_sentence(run(*arguments))

        process.kill()
    assert "(Connection refused), though the stack in" in said
    assert "see 'neonblue status', 'neonblue logs" in said


def test_an_external_service_that_does_not_answer_is_told_as_such(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_URL", "http://127.0.0.1:10")
    monkeypatch.setenv("NEONBLUE_API_TOKEN", "token")

    said = one_sentence(run("results", "checkout"))

    assert (
        "the API does not answer at http://127.0.0.1:10 (Connection refused): it is an external one" in said
    )
    assert "NEONBLUE_API_URL" in said


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_wrong_setting_ends_every_command_alike(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_PORT", "99999")
    arguments = next((one for one in NEEDING_A_STACK if one[0] == command), (command,))
    if command in ("analyze", "power", "compose"):
        pytest.skip("it needs no settings")
    if command == "import":
        file = tmp_path / "shop.csv"
        file.write_text("user_id,variant,spend\n1,a,2\n2,b,3\n")
        arguments = ("import", str(file), "--key", "shop", "--start", "2025-07-01")

    said = one_sentence(run(*arguments), code=2)

    assert "NEONBLUE_API_PORT is '99999' (in the environment): a number from 1 to 65535 is wanted" in said


@pytest.mark.parametrize("command", ["up", "demo", "migrate"])
def test_a_misspelt_setting_starts_nothing(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_PROT", "8001")

    said = one_sentence(run(command), code=2)

    assert "NEONBLUE_API_PROT (in the environment) is not a setting: did you mean NEONBLUE_API_PORT?" in said
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_setting_is_a_warning_where_nothing_starts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_API_PROT", "8001")

    done = run("status")

    assert done.exit_code == 3
    assert "warning NEONBLUE_API_PROT (in the environment) is not a setting" in " ".join(done.stderr.split())


def test_a_setting_of_somebody_else_is_a_warning_everywhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEONBLUE_TEAM", "checkout")
    (tmp_path / "logs").write_text("a file in the way")

    done = run("up")

    assert "warning NEONBLUE_TEAM (in the environment) is not a setting" in " ".join(done.stderr.split())
    assert "data folder" in done.stderr


@pytest.mark.parametrize("command", [("up",), ("up", "--detach"), ("demo",)])
def test_a_folder_that_can_not_be_written_is_the_same_sentence_in_up_as_in_doctor(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"

    done = CliRunner().invoke(app, [*command, "--data-dir", str(folder)])
    examined = CliRunner().invoke(app, ["doctor", "--data-dir", str(folder)])

    said = one_sentence(done).removeprefix("error ")
    assert "data folder" in said
    assert said in " ".join(examined.stdout.split())
    assert examined.exit_code == 1


def test_an_empty_data_folder_is_refused_as_an_option() -> None:
    done = CliRunner().invoke(app, ["status", "--data-dir", ""])

    assert done.exit_code == 2
    assert "is empty" in done.output


def test_a_markup_in_a_folders_name_is_text(tmp_path: Path) -> None:
    folder = tmp_path / "[bold]a[" / "]"

    done = CliRunner().invoke(app, ["status", "--data-dir", str(folder)])

    assert done.exit_code == 3
    assert str(folder) in done.output.replace("\n", "")


def test_the_version_is_told() -> None:
    for option in ("--version", "-V"):
        done = CliRunner().invoke(app, [option])
        assert (done.exit_code, done.stdout) == (0, f"neonblue {__version__}\n")


@pytest.mark.parametrize(
    ("typed", "meant"), [("statsu", "status"), ("reprot", "report"), ("analyse", "analyze")]
)
def test_a_misspelt_command_leads_to_the_right_one(typed: str, meant: str) -> None:
    done = CliRunner().invoke(app, [typed])

    assert done.exit_code == 2
    assert f"Did you mean '{meant}'" in done.output


def test_a_command_that_resembles_none_leads_to_the_list() -> None:
    done = CliRunner().invoke(app, ["foo"])

    assert done.exit_code == 2
    assert "No such command 'foo'" in done.output
    assert "-h' for help" in done.output


@pytest.mark.parametrize("group", [(), ("audit",), ("bench",), ("simulate",)])
def test_groups_are_shaped_alike(group: tuple[str, ...]) -> None:
    alone, asked = CliRunner().invoke(app, [*group]), CliRunner().invoke(app, [*group, "-h"])

    assert (alone.exit_code, asked.exit_code) == (2, 0)
    assert alone.output.split() == asked.output.split()
    assert "COMMAND" in asked.output
    assert ("--install-completion" in asked.output) == (group == ())


def test_a_lock_that_is_held_here_is_no_defect(tmp_path: Path, run: Run) -> None:
    started(tmp_path)
    with FolderLock(tmp_path):
        said = one_sentence(run("up"))

    assert f"already runs in {tmp_path} (process {os.getpid()})" in said
    assert (tmp_path / ENVIRONMENT_FILE).exists()


def test_the_demo_takes_no_other_folders_stack_for_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is logged meanwhile is no part of what it prints."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    (tmp_path / "somebody's own").touch()
    tmp_path.chmod(0o755)
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        monkeypatch.setenv("NEONBLUE_API_PORT", str(other.server_port))
        done = run("demo", "--exit")
        other.shutdown()

    assert done.exit_code == 1
    assert f"{other.server_port}" in done.stderr
    assert "NEONBLUE_API_PORT" in done.stderr
    assert "data_folder_stays_open" in done.stderr
    assert "data_folder_stays_open" not in done.stdout
    assert "Traceback" not in done.output


def test_log_lines_outlive_the_streams_of_a_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("settings").exit_code == 0

    structlog.get_logger().warning("later", of="the same process")

    assert "later" in capsys.readouterr().err
