"""The API is started anew under load: no request fails, and what was acknowledged is stored once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from neonblue.bench.assign import running_experiments
from neonblue.bench.http import Answer, Target
from neonblue.bench.steady import Account, Call, Steady
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack.errors import StackError
from neonblue.stack.processes import ports, sockets
from neonblue.stack.supervisor import control, record
from neonblue.stack.supervisor.board import State, Status
from neonblue.stack.supervisor.restarts import How, Outcome
from tests.integration.stack.conftest import supervise
from tests.waiting import until

pytestmark = pytest.mark.timeout(600)
SERVICES = ("postgres", "valkey", "api")
RATE, CONNECTIONS, UNITS = 500.0, 24, 400
STORED = """
SELECT count(*), count(DISTINCT id) FROM events WHERE id = ANY(%s)
"""
TOLD = """
SELECT item->>'id' FROM outbox_events, jsonb_array_elements(
    CASE jsonb_typeof(payload) WHEN 'array' THEN payload ELSE jsonb_build_array(payload) END) AS item
WHERE aggregate_type IN ('event', 'event_batch')
"""


@pytest.fixture(scope="module")
def stack(module_settings: Settings) -> Iterator[Settings]:
    with supervised(module_settings):
        yield module_settings


class supervised:  # noqa: N801 - a context manager
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __enter__(self) -> subprocess.Popen[str]:
        self.process = supervise(self.settings, *SERVICES)
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)


@dataclass
class Mix:
    """Events, some of them twice, and assignments, and what was acknowledged of them."""

    target: Target
    experiment: str
    events: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    variants: dict[str, set[str]] = field(default_factory=dict)

    def call(self, turn: int) -> Call:
        if turn % 20 == 1 and self.events:
            known = self.events[-1 - turn % len(self.events)]
            return Call(self.target.post("/v1/events", self.bodies[known]), _is_known)
        if turn % 2:
            number = _uuid7()
            body = json.dumps({"id": number, "user_id": f"user-{turn % UNITS}", "event_type": "seen"})
            self.bodies[number] = body.encode()
            return Call(self.target.post("/v1/events", body.encode()), lambda a: self._stored(number, a))
        unit = f"unit-{turn % UNITS}"
        body = json.dumps({"experiment": self.experiment, "user_id": unit})
        return Call(self.target.post("/v1/assignments", body.encode()), lambda a: self._assigned(unit, a))

    def _stored(self, number: str, answer: Answer) -> bool:
        told = json.loads(answer.body)
        if told["accepted"] + told["duplicates"] != 1:
            return False
        self.events.append(number)
        return True

    def _assigned(self, unit: str, answer: Answer) -> bool:
        self.variants.setdefault(unit, set()).add(json.loads(answer.body)["variant_key"])
        return True


def _is_known(answer: Answer) -> bool:
    return bool(json.loads(answer.body)["duplicates"] == 1)


def _uuid7() -> str:
    random = uuid.uuid4().int
    value = (
        (time.time_ns() // 1_000_000) << 80
        | 7 << 76
        | (random >> 64 & 0xFFF) << 64
        | 2 << 62
        | random & (1 << 62) - 1
    )
    return str(uuid.UUID(int=value))


def under_load(settings: Settings, work: Callable[[], None], *, again: bool = False) -> tuple[Account, Mix]:
    """Do `work` while the API is asked, and compare what it acknowledged with what it stored."""
    target = Target.of(settings.api.address, settings.api.token.get_secret_value())
    with running_experiments(settings, 1) as (key,):
        mix = Mix(target, key)
        load = Steady(target, RATE, CONNECTIONS, mix.call, again=again)

        async def run() -> None:
            running = asyncio.create_task(load.run())
            try:
                await asyncio.to_thread(until, lambda: len(mix.events) > RATE / 4, "the load flows")
                await asyncio.to_thread(work)
                goal = len(mix.events) + RATE / 2
                await asyncio.to_thread(until, lambda: len(mix.events) > goal, "the load flows on")
            finally:
                load.stop()
                await running

        asyncio.run(run())
    with psycopg.connect(settings.postgres.dsn()) as connection:
        assert connection.execute(STORED, (mix.events,)).fetchone() == (len(mix.events),) * 2
        told = [str(row[0]) for row in connection.execute(TOLD)]
        assert sorted(one for one in told if one in set(mix.events)) == sorted(mix.events)
    assert {len(found) for found in mix.variants.values()} == {1}
    return load.account, mix


def restart(settings: Settings, *names: str) -> list[Outcome]:
    return list(control.ask(settings.data_dir, names or ("api",)))


def status(settings: Settings, name: str = "api") -> Status:
    return next(one for one in record.read(settings.data_dir) if one.name == name)


def pid(settings: Settings, name: str = "api") -> int:
    identity = status(settings, name).identity
    assert identity is not None
    return identity.pid


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "neonblue.cli.main", *arguments, "--data-dir", str(settings.data_dir)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def test_restarts_under_load_cost_no_request(stack: Settings) -> None:
    seen = [pid(stack)]
    outcomes: list[Outcome] = []

    def work() -> None:
        for _ in range(4):
            outcomes.extend(restart(stack))
            seen.append(pid(stack))

    account, _ = under_load(stack, work)

    assert [outcome.how for outcome in outcomes] == [How.HANDED_OVER] * 4
    assert len(set(seen)) == 5
    assert not any(psutil.pid_exists(one) for one in seen[:-1])
    assert account.failures == {}
    now = status(stack)
    assert (now.state, now.restarts, now.beside) == (State.READY, 0, None)


def test_a_killed_api_leaves_connections_waiting_for_the_next_process(stack: Settings) -> None:
    before = status(stack).restarts

    def work() -> None:
        os.kill(pid(stack), signal.SIGKILL)
        until(lambda: status(stack).restarts == before + 1, "it was noticed")
        until(lambda: status(stack).state is State.READY, "it is ready again")

    account, _ = under_load(stack, work, again=True)

    assert "ConnectionRefusedError" not in account.failures
    assert account.failures.keys() <= {"BrokenError"}  # those that the killed process had
    assert account.lost == 0
    print("longest without an answer:", account.longest_gap)


def test_a_successor_that_dies_leaves_the_process_that_serves(stack: Settings) -> None:
    serving = pid(stack)
    outcomes: list[Outcome] = []

    def work() -> None:
        asked = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "neonblue.cli.main",
                "restart",
                "--json",
                "--data-dir",
                str(stack.data_dir),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        until(lambda: status(stack).beside is not None, "its successor starts")
        successor = status(stack).beside
        assert successor is not None
        os.kill(successor.pid, signal.SIGKILL)
        out, _ = asked.communicate(timeout=60)
        assert asked.returncode == 1
        outcomes.extend(Outcome(**one) for one in json.loads(out))

    account, _ = under_load(stack, work)

    assert [(one.how, one.detail) for one in outcomes] == [
        ("failed", "its successor ended by signal 9; the process that served goes on")
    ]
    assert (pid(stack), account.failures) == (serving, {})


def test_a_restarted_api_has_the_settings_of_the_file_and_a_wrong_one_changes_nothing(
    stack: Settings,
) -> None:
    file = stack.data_dir / ENVIRONMENT_FILE
    text = file.read_text()
    try:
        file.write_text(text + "NEONBLUE_API_RATE_LIMIT_PER_SECOND='12345'\n")
        done = command(stack, "restart")
        assert (done.returncode, "api: handed over after" in done.stdout) == (0, True)
        assert _policy(stack) == '"token";q=12345;w=1'

        file.write_text(text + "NEONBLUE_API_WORKERS='0'\n")
        serving = pid(stack)
        refused = command(stack, "restart")
        assert (refused.returncode, "NEONBLUE_API_WORKERS" in refused.stderr) == (2, True)
        with pytest.raises(StackError, match="NEONBLUE_API_WORKERS"):
            restart(stack)
        assert pid(stack) == serving
    finally:
        file.write_text(text)


def _policy(settings: Settings) -> str:
    token = settings.api.token.get_secret_value()
    body = {"experiment": "none", "user_id": "u"}
    answer = httpx.post(
        f"{settings.api.address}/v1/assignments", json=body, headers={"authorization": f"Bearer {token}"}
    )
    return str(answer.headers["ratelimit-policy"])


def test_another_service_ends_before_it_is_started_again_and_that_is_no_crash(stack: Settings) -> None:
    before = pid(stack, "valkey")

    done = command(stack, "restart", "valkey", "--json")

    assert [(one["service"], one["how"]) for one in json.loads(done.stdout)] == [("valkey", "restarted")]
    assert pid(stack, "valkey") != before
    assert (status(stack, "valkey").state, status(stack, "valkey").restarts) == (State.READY, 0)


def test_a_service_that_is_not_there_is_told_with_those_that_are(stack: Settings) -> None:
    done = command(stack, "restart", "oracle")

    assert done.returncode == 1
    assert "oracle" in done.stderr
    assert "postgres, valkey, api" in done.stderr.replace("\n", " ")


_CONNECT = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as one:
    try:
        one.connect(sys.argv[1])
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_other_users_can_not_ask_the_supervisor(stack: Settings) -> None:
    path = sockets.path(stack.data_dir, "control")
    asked = subprocess.run(
        [sys.executable, "-I", "-c", _CONNECT, str(path)], capture_output=True, text=True, check=False
    )

    assert asked.stdout == "refused\n"
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_supervisor_that_dies_in_a_handover_leaves_nobody_on_the_port(settings: Settings) -> None:
    with supervised(settings) as supervisor:
        asked = subprocess.Popen(
            [sys.executable, "-m", "neonblue.cli.main", "restart", "--data-dir", str(settings.data_dir)],
            stderr=subprocess.DEVNULL,
        )
        until(lambda: status(settings).beside is not None, "its successor starts")
        supervisor.kill()
        supervisor.wait()
        until(lambda: not ports.taken(settings.api.port), "the port is free")
        assert asked.wait(30) == 1
    refused = command(settings, "restart")
    assert (refused.returncode, "neonblue up" in refused.stderr) == (1, True)


def test_several_workers_hand_over_too(settings: Settings) -> None:
    file = Path(settings.data_dir / ENVIRONMENT_FILE)
    file.write_text(file.read_text() + "NEONBLUE_API_WORKERS='2'\n")
    with supervised(settings):
        first = pid(settings)
        account, _ = under_load(settings, lambda: _handed_over(settings))
        assert account.failures == {}
        assert not psutil.pid_exists(first)
    assert not ports.taken(settings.api.port)


def _handed_over(settings: Settings) -> None:
    assert [one.how for one in restart(settings)] == [How.HANDED_OVER]
