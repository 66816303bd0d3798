"""The cache that API processes share, on a real Valkey: read together, written together, left alone when away."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis

from api.assignments.cache import SharedCache, Stored, UnitKey
from neonblue.settings import Settings, ValkeySettings
from neonblue.stack.services.valkey import Valkey
from tests.integration.api.conftest import _free_port
from tests.integration.api.fleet import wait_until

SALTS = {1: "one", 2: "two"}
DEADLINE_SECONDS = 30.0


class Server:
    """Valkey as the stack runs it."""

    def __init__(self, folder: Path) -> None:
        own = ValkeySettings(port=_free_port(), password=SecretStr(secrets.token_hex(8)))
        settings = Settings(data_dir=folder, valkey=own)
        self.address = own.dsn
        self._service = Valkey(settings)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._service.prepare()
        command = self._service.command()
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                command.arguments,
                env=dict(command.environment),
                cwd=command.folder,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "Valkey answers")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        try:
            self._service.check()
        except Exception:
            return False
        return True


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


def cache(server: Server) -> SharedCache:
    pool = BlockingConnectionPool.from_url(server.address, socket_connect_timeout=0.5, max_connections=4)
    return SharedCache(Redis(connection_pool=pool))


def units(count: int) -> list[UnitKey]:
    return [(1 + n % 2, "user", f"user-{n}") for n in range(count)]


def stored(n: int) -> Stored:
    return Stored("ab"[n % 2], n, "2026-01-01T00:00:00.000000Z", n % 3 == 0)


async def _until_known(reader: SharedCache, unit: UnitKey) -> Stored:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := await reader.read(SALTS, [unit])):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)  # between two looks
    return found[unit]


def test_what_one_process_stored_the_others_read_each_its_own(valkey: Server) -> None:
    async def run() -> None:
        writer, reader = cache(valkey), cache(valkey)
        everyone = units(500)
        for n, unit in enumerate(everyone):
            writer.write(SALTS, {unit: stored(n)})
        await _until_known(reader, everyone[-1])
        asked = [everyone[n : n + 3] for n in range(len(everyone))] + [[(1, "user", "nobody")]]
        answers = await asyncio.gather(*(reader.read(SALTS, wanted) for wanted in asked))
        for n, found in enumerate(answers[:-1]):
            assert found == {everyone[k]: stored(k) for k in range(n, min(n + 3, len(everyone)))}
        assert answers[-1] == {}
        for user in (writer, reader):
            await user.close()

    asyncio.run(run())


def test_experiments_that_share_a_salt_keep_apart(valkey: Server) -> None:
    async def run() -> None:
        user = cache(valkey)
        same = {1: "one", 2: "one"}
        user.write(same, {(1, "user", "ada"): stored(1)})
        await _until_known(user, (1, "user", "ada"))
        assert await user.read(same, [(2, "user", "ada")]) == {}
        await user.close()

    asyncio.run(run())


def test_what_is_kept_expires(valkey: Server) -> None:
    async def run() -> None:
        writer = cache(valkey)
        unit = units(1)[0]
        writer.write(SALTS, {unit: stored(0)})
        await _until_known(writer, unit)
        (name,) = await writer.client.keys("neonblue:assignment:*")
        assert 0 < await writer.client.ttl(name) <= 86_400
        await writer.close()

    asyncio.run(run())


def test_a_cache_that_is_away_is_nothing_known_and_nobody_waits_for_it(valkey: Server) -> None:
    async def run() -> None:
        shared = cache(valkey)
        unit = units(1)[0]
        shared.write(SALTS, {unit: stored(0)})
        await _until_known(shared, unit)
        valkey.stop()
        answers = await asyncio.gather(*(shared.read(SALTS, [unit]) for _ in range(50)))
        assert answers == [{}] * 50
        shared.write(SALTS, {unit: stored(1)})
        valkey.start()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while await shared.read(SALTS, [unit]) != {unit: stored(2)}:  # it comes back empty
            shared.write(SALTS, {unit: stored(2)})
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)  # between two looks
        await shared.close()

    asyncio.run(run())
