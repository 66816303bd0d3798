"""Reading both stores in the order that makes the comparison exact while data flows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import psycopg
from clickhouse_connect.driver.client import Client

from neonblue.clickhouse.client import connect
from neonblue.reconciliation.accepted import Accepted
from neonblue.reconciliation.compare import Kind, Reconciliation, Span, compare
from neonblue.reconciliation.kept import read_dropped
from neonblue.reconciliation.present import Present
from neonblue.settings import Role, Settings

POLL_SECONDS = 0.5
CLOCKS_AHEAD = timedelta(minutes=10)
"""How far the clock of whoever accepts rows may be ahead of PostgreSQL's."""


def reconcile(settings: Settings, wait_seconds: float = 0.0) -> Reconciliation:
    """Compare what was accepted until now with what is present.

    wait_seconds: while they differ, look again for so long: rows may be on their way. What is accepted after
    the call does not count, so that this ends also under load. What was equal once is not read again.
    """
    deadline = time.monotonic() + wait_seconds
    with (
        psycopg.connect(settings.postgres.acting(Role.READER).dsn()) as postgres,
        connect(settings.clickhouse) as clickhouse,
    ):
        until = _now(postgres)
        result = _once(postgres, clickhouse, Span(until, until + CLOCKS_AHEAD), list(Kind))
        while not result.equal and time.monotonic() < deadline:
            time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            differing = [kind for kind in Kind if not result.rows[kind].total.agree]
            again = _once(postgres, clickhouse, Span(until, _now(postgres) + CLOCKS_AHEAD), differing)
            result = replace(again, rows={**result.rows, **again.rows})
        return result


def span_of_now(postgres: psycopg.Connection) -> Span:
    """Everything that is accepted by now, and what has a false time."""
    now = _now(postgres)
    return Span(now, now + CLOCKS_AHEAD)


def _now(postgres: psycopg.Connection) -> datetime:
    row = postgres.execute("SELECT clock_timestamp()").fetchone()
    postgres.rollback()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    moment: datetime = row[0]
    return moment


def _once(
    postgres: psycopg.Connection, clickhouse: Client, span: Span, kinds: Sequence[Kind]
) -> Reconciliation:
    """ClickHouse first: what it holds was committed before PostgreSQL is read, and can't seem unexpected."""
    present = Present(clickhouse, span)
    found = {kind: present.digests(kind) for kind in kinds}
    with postgres.transaction():
        accepted = Accepted(postgres, span)
        kept = accepted.kept_days(read_dropped(clickhouse))
        letters = present.dead_letters()
        return Reconciliation(
            rows={
                kind: compare(
                    accepted.digests(kind),
                    found[kind],
                    partial(accepted.ids, kind),
                    partial(present.ids, kind),
                    kept.__contains__ if kind is Kind.EVENTS else None,
                )
                for kind in kinds
            },
            dead_letters=letters.unresolved,
            set_aside=present.set_aside(),
            resolved=letters.resolved,
        )
