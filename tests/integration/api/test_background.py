"""What ends in the background of an API process, and what it then says of itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from fastapi import Response

from api.background import Keeper
from api.edge.services import Services
from api.edge.wiring import create_services
from api.experiments.registry import Registry
from api.health.endpoints import readyz
from api.postgres.database import Pool
from neonblue.settings import PostgresSettings, Settings
from tests.integration.api.conftest import TOKEN, Server, _free_port
from tests.integration.api.experiments import CHANNEL, Written, write
from tests.integration.api.fleet import wait_until


async def _fails() -> None:
    raise ValueError("a row that can't be read")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it tells nobody when it changes
            await asyncio.sleep(0.01)


@asynccontextmanager
async def services_of(postgres: Server, folder: Path) -> AsyncIterator[Services]:
    settings = Settings(data_dir=folder, postgres=PostgresSettings(url=postgres.dsn))
    services = create_services(settings)
    async with services.running():
        await services.wait_until_ready(60)
        yield services


async def _look(services: Services) -> tuple[int | None, str]:
    response = Response()
    readiness = await readyz(services, response)
    return response.status_code, readiness.components["background"]


def test_events_are_stored_while_work_that_they_do_not_need_is_down(postgres: Server, tmp_path: Path) -> None:
    async def look() -> None:
        async with services_of(postgres, tmp_path) as services:
            assert await _look(services) == (200, "ok")
            services.keeper.first_seconds = 60.0

            services.keeper.keep("erasures", _fails)
            await until(lambda: services.background_down)
            assert await _look(services) == (200, "down: erasures")

            services.keeper.keep("writer", _fails, vital=True)
            await until(lambda: services.vital_down)
            assert await _look(services) == (503, "down: erasures, writer")

    asyncio.run(look())


@pytest.mark.parametrize("payload", ["9" * 5000, "99999999999", "\u0663", "nonsense", ""])
def test_whatever_is_said_on_the_channel_ends_no_listening(postgres: Server, payload: str) -> None:
    async def listen() -> None:
        async with _registry(postgres) as (registry, keeper):
            first = write(postgres)
            await until(lambda: registry.find(first.key))
            with psycopg.connect(postgres.dsn) as connection:
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            second = write(postgres)
            await until(lambda: registry.find(second.key))
            assert _failures(keeper) == 0

    asyncio.run(listen())


def test_an_experiment_that_can_not_be_read_hides_no_other_and_stays_as_it_was(postgres: Server) -> None:
    async def listen() -> None:
        known, unknown = write(postgres), write(postgres)
        async with _registry(postgres) as (registry, keeper):
            await until(lambda: registry.find(known.key))
            with _without_variants(postgres, known):
                after = write(postgres)
                await until(lambda: registry.find(after.key))
                assert registry.find(known.key) is not None
            assert _failures(keeper) == 0
        with _without_variants(postgres, unknown):
            async with _registry(postgres) as (registry, keeper):
                await until(lambda: registry.find(known.key))
                assert registry.find(unknown.key) is None
                assert _failures(keeper) == 0

    asyncio.run(listen())


@contextmanager
def _without_variants(postgres: Server, experiment: Written) -> Iterator[None]:
    """As nothing of the product leaves one."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        kept = connection.execute(
            "DELETE FROM variants WHERE experiment_id = %s RETURNING experiment_id, key, weight, is_control, position",
            (experiment.number,),
        ).fetchall()
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(experiment.number)))
        try:
            yield
        finally:
            for row in kept:
                connection.execute(
                    "INSERT INTO variants (experiment_id, key, weight, is_control, position) "
                    "VALUES (%s, %s, %s, %s, %s)",
                    row,
                )


@asynccontextmanager
async def _registry(postgres: Server) -> AsyncIterator[tuple[Registry, Keeper]]:
    pool = Pool(postgres.dsn, 2)
    registry, keeper = Registry(postgres.dsn, pool), Keeper()
    keeper.keep("experiments", registry.listen, vital=lambda: not registry.loaded)
    try:
        yield registry, keeper
    finally:
        await keeper.stop()
        await pool.close()


def _failures(keeper: Keeper) -> int:
    return sum(kept.failures for kept in keeper._kept.values())


_SERVING = """
import os, sys
from pathlib import Path
from api import background
from api.experiments.registry import Registry
from api.server import Serving
from neonblue.serving.inherited import take
from neonblue.settings import Settings

background._LONGEST_SECONDS = 0.1
listen = Registry.listen


async def listen_or_fail(self):
    mark = Path(sys.argv[1])
    try:
        with mark.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        if mark.read_text() != str(os.getpid()):
            await listen(self)
    raise RuntimeError("unforeseen")


Registry.listen = listen_or_fail
if __name__ == "__main__":
    Serving(Settings.load().api, take()).run()
"""


def test_of_several_processes_one_that_can_not_go_on_is_replaced_alone(tmp_path: Path) -> None:
    script, mark, port = tmp_path / "serving.py", tmp_path / "mark", _free_port()
    script.write_text(_SERVING)
    environment = os.environ | {
        "NEONBLUE_POSTGRES_URL": f"postgresql://nobody@127.0.0.1:{_free_port()}/none",
        "NEONBLUE_API_PORT": str(port),
        "NEONBLUE_API_WORKERS": "2",
        "NEONBLUE_API_TOKEN": TOKEN,
        "NEONBLUE_DATA_DIR": str(tmp_path),
    }
    with (tmp_path / "log").open("wb") as log:
        parent = subprocess.Popen([sys.executable, script, mark], env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: mark.exists() and mark.read_text() != "", "one begins to fail")
        failing = int(mark.read_text())
        wait_until(lambda: len(_workers(parent)) == 2, "both run")
        wait_until(lambda: failing not in _workers(parent), "it ends")
        wait_until(lambda: len(_workers(parent)) == 2, "another takes its place")
        assert parent.poll() is None
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert client.get("/healthz").status_code == 200
    finally:
        parent.terminate()
        parent.wait(60)


def _workers(parent: subprocess.Popen[bytes]) -> set[int]:
    return {child.pid for child in psutil.Process(parent.pid).children() if _works(child)}


def _works(child: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in child.cmdline())
    except psutil.Error:  # it has ended
        return False
