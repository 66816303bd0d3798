"""The stack of a fault run: killed, started, stopped, and never another one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neonblue.faults.kinds import Kind
from neonblue.faults.notes import Notes
from neonblue.faults.own_stack import LateError, OwnStack, holds_a_stack
from neonblue.faults.plan import Fault
from neonblue.faults.strikes import processes
from neonblue.faults.strikes.context import Context
from neonblue.faults.watch import AlertListener, Watch, first
from neonblue.settings import Settings
from neonblue.stack.processes.process import alive
from tests.waiting import until

ROOT = Path(__file__).parents[3]
READY_SECONDS = 60
STARTS_ONE_AND_DIES = """
import os, signal, sys, threading
from pathlib import Path
from neonblue.faults.own_stack import OwnStack
other = OwnStack(Path(sys.argv[1]), ("valkey",))
other.prepare("json://127.0.0.1:9/")
other.up()
other.wait_ready(60, threading.Event())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnStack]:
    """Valkey alone, which starts in a second. The settings of another stack stand in the environment."""
    monkeypatch.setenv("NEONBLUE_VALKEY_PORT", "9")
    monkeypatch.setenv("NEONBLUE_VALKEY_PASSWORD", "another stack's")
    folder = Path(tempfile.mkdtemp(prefix="neonblue-own-stack-"))
    made = OwnStack(folder, ("valkey",))
    made.prepare("json://127.0.0.1:9/")
    made.up()
    try:
        made.wait_ready(READY_SECONDS, threading.Event())
        yield made
    finally:
        made.end()
        for one in folder.parent.glob(f"{folder.name}*"):
            shutil.rmtree(one, ignore_errors=True)


def context(stack: OwnStack) -> Context:
    return Context(stack, Notes(), threading.Event(), random.Random(1), lambda weather: None, lambda: None)


def test_it_has_ports_and_secrets_of_its_own(stack: OwnStack) -> None:
    assert stack.settings.valkey.port != 9
    assert stack.settings.valkey.password.get_secret_value() not in ("", "another stack's")
    assert stack.settings.alert.urls[0].get_secret_value() == "json://127.0.0.1:9/"
    assert os.environ["NEONBLUE_VALKEY_PORT"] == "9"
    assert Settings.load(stack.folder).valkey.port == 9  # what the environment says is left as it is
    assert holds_a_stack(stack.folder)


def test_everything_dies_at_once_and_comes_back_as_other_processes(stack: OwnStack) -> None:
    before = stack.identity("valkey")
    assert before is not None

    stack.kill_all()

    assert not alive(before)
    assert not stack.supervised
    assert not stack.ready()
    stack.up()
    stack.wait_ready(READY_SECONDS, threading.Event())
    assert stack.identity("valkey") not in (None, before)


def test_it_stops_as_by_down_and_starts_no_more_after_its_end(stack: OwnStack) -> None:
    seconds = stack.down()

    assert seconds is not None
    assert stack.identity("valkey") is None
    assert stack.down() == 0.0
    stack.end()
    stack.up()
    assert not stack.supervised
    with pytest.raises(LateError):
        stack.wait_ready(0.0, threading.Event())


def test_what_a_killed_supervisor_left_is_ended(stack: OwnStack) -> None:
    identity = stack.identity("valkey")
    assert identity is not None
    supervisor = stack._supervisor
    assert supervisor is not None

    supervisor.kill()
    supervisor.wait()
    stack.end()

    until(lambda: not alive(identity), "no process is left")


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.STOP])
def test_a_struck_service_is_told_and_heals(stack: OwnStack, kind: Kind) -> None:
    alerts = AlertListener()
    watch = Watch(stack, alerts)
    watch.start()
    strike = {Kind.KILL: processes.kill, Kind.STOP: processes.stop}[kind]
    before = stack.identity("valkey")
    try:
        healed = strike(context(stack), Fault(0.0, kind, "valkey", 60.0))
        until(healed, "valkey is another process, and ready", READY_SECONDS)
        until(stack.ready, "everything is ready")
        until(lambda: first(watch.tellings(), ("valkey",), 0.0, 1e12), "it was told", 10)
    finally:
        watch.stop()
        alerts.stop()

    assert stack.identity("valkey") != before


def test_a_short_stop_is_taken_back(stack: OwnStack) -> None:
    before = stack.identity("valkey")
    assert before is not None

    processes.stop(context(stack), Fault(0.0, Kind.STOP, "valkey", 0.5))

    assert Path(f"/proc/{before.pid}/stat").read_text().split()[2] != "T"


def test_the_supervisor_ends_with_whoever_started_it(stack: OwnStack) -> None:
    identity = stack.identity("valkey")
    assert identity is not None
    folder = Path(f"{stack.folder}-2")
    subprocess.run([sys.executable, "-c", STARTS_ONE_AND_DIES, str(folder)], cwd=ROOT, check=False)

    orphan = OwnStack(folder, ("valkey",))
    until(
        lambda: all(one.identity is None or not alive(one.identity) for one in orphan.statuses()), "it ended"
    )
    assert stack.ready()
