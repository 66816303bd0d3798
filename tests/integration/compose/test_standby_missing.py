"""What the keeper and the exporter say of a standby that is away, on real servers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from pydantic import SecretStr

from neonblue.compose.standby import Standby
from neonblue.monitoring.postgres import BLOCKED, STREAMING, WAITING, PostgresSource
from neonblue.settings import Settings
from neonblue.stack.errors import StackError
from neonblue.stack.services.inside import postgres_roles, postgres_superuser
from neonblue.stack.supervisor.board import Board, Status
from neonblue.stack.supervisor.runner import StepRunner
from neonblue.stack.supervisor.telling import Teller
from tests.integration.compose.pairs import SECONDS, Connection, Pair, begin, until
from tests.integration.stack.loading import receiver

pytestmark = pytest.mark.timeout(600)


def settings_of(pair: Pair, url: str) -> Settings:
    """As `keeper` has them."""
    settings = pair.keeps.settings
    return settings.model_copy(
        update={
            "postgres": settings.postgres.model_copy(update={"port": pair.primary}),
            "alert": settings.alert.model_copy(update={"urls": (SecretStr(url),)}),
        }
    )


@contextmanager
def kept(step: Standby, settings: Settings) -> Iterator[Board]:
    """The step watched, and what lasts told, as `keep` does."""
    board = Board([Status(step.name, kind="step")])
    threads: list[threading.Thread] = [StepRunner(step, board, (), ()), Teller(settings, board, [step])]
    for thread in threads:
        thread.start()
    try:
        yield board
    finally:
        board.stop()
        for thread in threads:
            thread.join(timeout=20)


@contextmanager
def waiting() -> Iterator[ThreadPoolExecutor]:
    """Threads for what may wait for as long as the servers run."""
    pool = ThreadPoolExecutor(2)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False)


def told_of(settings: Settings) -> dict[str, float]:
    return {sample.family.name: sample.value for sample in PostgresSource(settings.postgres).look()}


def test_a_standby_that_is_away_is_told_with_what_it_means_and_what_mends_it(pair: Pair) -> None:
    _, standby, owner = begin(pair)
    owner.execute("CREATE TABLE kept (id int)")
    with receiver() as (url, received):
        settings = settings_of(pair, url)
        assert told_of(settings) == {STREAMING.name: 1, BLOCKED.name: 0, WAITING.name: 0}
        with kept(Standby(settings), settings) as board, waiting() as pool:
            until(lambda: board["postgres-standby"].state == "ready")
            standby.send_signal(signal.SIGINT)
            standby.wait(timeout=60)
            commit = pool.submit(pair.insert, 1)

            until(lambda: received)
            until(lambda: told_of(settings) == {STREAMING.name: 0, BLOCKED.name: 1, WAITING.name: 1})
            message = received[0]["message"]
            for part in (
                "the standby standby is missing since ",
                "Every commit waits for it",
                "The stream stands still as well",
                "docker compose up --detach postgres-standby",
                "docs/deploying.md#without-the-standby",
            ):
                assert part in message
            # A keeper that is started meanwhile comes to watch.
            pool.submit(roles_made, settings).result(timeout=SECONDS)
            assert not commit.done()

            pair.start_standby()
            commit.result(timeout=SECONDS)
            until(lambda: len(received) > 1)
            assert "is over" in received[1]["title"]
        assert told_of(settings)[STREAMING.name] == 1
    owner.close()


def roles_made(settings: Settings) -> None:
    with postgres_superuser.connect(settings.postgres, "postgres") as connection:
        postgres_roles.reconcile(connection, settings.postgres)


def test_of_a_standby_whose_slot_is_lost_it_is_told_that_it_has_to_be_copied_anew(pair: Pair) -> None:
    _, standby, owner = begin(pair)
    step = Standby(settings_of(pair, "json://127.0.0.1:9/"))
    standby.send_signal(signal.SIGINT)
    standby.wait(timeout=60)
    lose_slot(owner)

    with pytest.raises(StackError, match="its slot is lost, it has to be copied anew"):
        step.check()

    # Going on without it, as the page says.
    owner.execute("ALTER SYSTEM RESET synchronous_standby_names")
    owner.execute("SELECT pg_reload_conf()")
    until(lambda: fits(step))
    assert step.note().startswith("low: the stream stands still")
    owner.execute("ALTER SYSTEM RESET synchronized_standby_slots")
    owner.execute("SELECT pg_reload_conf()")
    until(lambda: fits(step) and not step.note())
    owner.close()


def lose_slot(owner: Connection) -> None:
    for setting, size in (("max_wal_size", "32MB"), ("max_slot_wal_keep_size", "16MB")):
        owner.execute(f"ALTER SYSTEM SET {setting} = '{size}'")  # type: ignore[arg-type]
    owner.execute("SELECT pg_reload_conf()")

    def is_lost() -> bool:
        for _ in range(3):
            owner.execute("SELECT pg_logical_emit_message(false, 'filler', ''), pg_switch_wal()")
        owner.execute("CHECKPOINT")
        found = owner.execute("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'standby'")
        return found.fetchone() == ("lost",)

    until(is_lost)


def fits(step: Standby) -> bool:
    try:
        step.check()
    except StackError:
        return False
    return True


def test_who_may_not_see_the_servers_statistics_says_nothing(pair: Pair) -> None:
    _, _, owner = begin(pair)
    settings = settings_of(pair, "json://127.0.0.1:9/")
    owner.execute("REVOKE pg_read_all_stats FROM neonblue_monitoring")

    assert told_of(settings) == {}
    step = Standby(settings)
    assert fits(step)
    assert step.note().startswith("not known: ")
    with psycopg.connect(settings.postgres.dsn()):
        pass  # the server is there all the same
    owner.close()
