"""PostgreSQL's standby of the overlay ``ha.yaml``: its own scripts and files, on real servers on this machine."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from neonblue.settings import Role
from tests.integration.compose.pairs import SECONDS, Pair, begin, synchronous, until

SLOT = "neonblue_outbox"
_ADVANCE = "SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn()), pg_log_standby_snapshot()"
_SYNCED = "SELECT 1 FROM pg_replication_slots WHERE synced AND NOT temporary AND slot_name = %s"
_SLOT = "SELECT failover, invalidation_reason FROM pg_replication_slots WHERE slot_name = %s"
_WAITS_FOR = (
    "SELECT current_setting('synchronous_standby_names'), current_setting('synchronized_standby_slots')"
)
_STANDBYS = "SELECT wal_status, active FROM pg_replication_slots WHERE slot_name = 'standby'"

pytestmark = pytest.mark.timeout(600)


def test_the_standby_has_every_commit_and_the_slot_and_takes_over(pair: Pair) -> None:
    primary, standby, owner = begin(pair)
    settings = pair.keeps.settings.postgres
    owner.execute("CREATE TABLE kept (id int)")
    cdc = settings.acting(Role.CDC).model_copy(update={"port": pair.primary}).dsn()
    with psycopg.connect(cdc, autocommit=True) as debezium:
        debezium.execute(
            "SELECT pg_create_logical_replication_slot(%s, 'pgoutput', failover => true)", [SLOT]
        )

    def has_the_slot() -> bool:
        owner.execute(_ADVANCE, [SLOT])
        with pair.enter(pair.standby) as copy:
            return copy.execute(_SYNCED, [SLOT]).fetchone() is not None

    until(has_the_slot)
    # Of the shell is left the server alone.
    standby.send_signal(signal.SIGINT)
    standby.wait(timeout=60)
    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(pair.insert, 1)
        with pytest.raises(TimeoutError):
            commit.result(timeout=5)
        standby = pair.start_standby()
        commit.result(timeout=SECONDS)
    until(lambda: synchronous(owner))
    until(has_the_slot)

    owner.execute("INSERT INTO kept VALUES (2)")
    primary.send_signal(signal.SIGQUIT)
    primary.wait(timeout=60)
    pair.done("pg_ctl", "promote", "-w", "-D", "standby")
    after = pair.enter(pair.standby)
    assert after.execute("SELECT pg_is_in_recovery(), count(*) FROM kept").fetchone() == (False, 2)
    assert after.execute(_SLOT, [SLOT]).fetchone() == (True, None)
    after.execute("INSERT INTO kept VALUES (3)")
    after.close()
    owner.close()

    standby.send_signal(signal.SIGINT)
    standby.wait(timeout=60)
    pair.go_back()
    pair.start_standby()
    pair.done("/bin/bash", "-eu", "postgres-synchronous.sh")
    with pair.enter(pair.primary) as back:
        until(lambda: synchronous(back))
        assert back.execute("SELECT count(*) FROM kept").fetchone() == (3,)
        assert back.execute(_SLOT, [SLOT]).fetchone() == (True, None)
        back.execute("INSERT INTO kept VALUES (4)")


@pytest.mark.parametrize("slot", ["extended", "lost"])
def test_a_standby_that_is_made_anew_takes_over(pair: Pair, slot: str) -> None:
    primary, standby, owner = begin(pair)
    owner.execute("CREATE TABLE kept (id int)")
    standby.send_signal(signal.SIGINT)
    standby.wait(timeout=60)
    pair.lose_standby()
    owner.execute("ALTER SYSTEM SET max_wal_size = '32MB'")
    if slot == "lost":
        owner.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    owner.execute("SELECT pg_reload_conf()")

    def is_left() -> bool:
        for _ in range(3):
            owner.execute("SELECT pg_logical_emit_message(false, 'filler', ''), pg_switch_wal()")
        owner.execute("CHECKPOINT")
        return owner.execute(_STANDBYS).fetchone() == (slot, False)

    until(is_left)
    pair.start_standby()
    pair.enter(pair.standby).close()
    until(lambda: synchronous(owner))
    owner.execute("INSERT INTO kept VALUES (1)")

    primary.send_signal(signal.SIGQUIT)
    primary.wait(timeout=60)
    pair.done("pg_ctl", "promote", "-w", "-D", "standby")
    with pair.enter(pair.standby) as after:
        assert after.execute(_WAITS_FOR).fetchone() == ("", "")
        after.execute("INSERT INTO kept VALUES (2)")
        assert after.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    owner.close()
