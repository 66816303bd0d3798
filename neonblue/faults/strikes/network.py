"""Connections that break, wait, and lose answers."""

from __future__ import annotations

import time

import psycopg

from neonblue.faults.plan import Fault
from neonblue.faults.proxy import Weather
from neonblue.faults.strikes.context import Context, Healed, at_once

_LONGEST_DELAY = 2.0
_BETWEEN_SECONDS = 1.0
_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND (backend_type IN ('client backend', 'walsender'))
"""


def reset(context: Context, fault: Fault) -> Healed:
    """Clients lose their connections again and again, and get none in between for moments."""
    ends = time.monotonic() + fault.seconds
    while time.monotonic() < ends and not context.stop.is_set():
        with context.weather(Weather(refuse=True)):
            context.reset_connections()
            context.hold(context.draw.uniform(0, _BETWEEN_SECONDS))
        context.hold(context.draw.uniform(0, _BETWEEN_SECONDS))
    return at_once


def delay(context: Context, fault: Fault) -> Healed:
    """Every chunk of bytes waits."""
    with context.weather(Weather(delay=_LONGEST_DELAY)):
        context.hold(fault.seconds)
    return at_once


def answers_lost(context: Context, fault: Fault) -> Healed:
    """What was asked is done, and nobody is told."""
    with context.weather(Weather(mute=True)):
        context.hold(fault.seconds)
    return at_once


def database_reset(context: Context, fault: Fault) -> Healed:
    """PostgreSQL ends the sessions of all others, as a lost network does."""
    ends = time.monotonic() + fault.seconds
    while time.monotonic() < ends and not context.stop.is_set():
        with psycopg.connect(context.settings.postgres.dsn(), connect_timeout=5, autocommit=True) as one:
            one.execute(_SESSIONS)
        context.hold(context.draw.uniform(0.2, 2 * _BETWEEN_SECONDS))
    return at_once
