"""Killing, stopping and restarting processes."""

from __future__ import annotations

import contextlib
import os
import signal

from neonblue.faults.plan import Fault
from neonblue.faults.strikes.context import Context, Healed, StrikeError, at_once
from neonblue.stack.processes.process import Identity, alive
from neonblue.stack.supervisor.board import State


def kill(context: Context, fault: Fault) -> Healed:
    """SIGKILL of a service's main process."""
    identity = _running(context, fault.target)
    os.kill(identity.pid, signal.SIGKILL)
    return _another(context, fault.target, identity)


def stop(context: Context, fault: Fault) -> Healed:
    """SIGSTOP, held, SIGCONT: unless the supervisor has ended it by then."""
    identity = _running(context, fault.target)
    os.kill(identity.pid, signal.SIGSTOP)
    try:
        context.hold(fault.seconds, lambda: not alive(identity))
    finally:
        if alive(identity):
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity.pid, signal.SIGCONT)
    return at_once if alive(identity) else _another(context, fault.target, identity)


def kill_all(context: Context, _: Fault) -> Healed:
    """Everything at once, then a start."""
    context.stack.kill_all()
    context.stack.up()
    return at_once


def kill_start(context: Context, fault: Fault) -> Healed:
    """Everything at once, a start that is killed on its way, and another start."""
    kill_all(context, fault)
    context.hold(fault.seconds)
    return kill_all(context, fault)


def restart(context: Context, _: Fault) -> Healed:
    """A stop as by ``neonblue down``, and a start."""
    seconds = context.stack.down()
    context.stack.up()
    if seconds is None:
        context.stuck.append("the stack did not stop in time and was killed")
    return at_once


def _running(context: Context, service: str) -> Identity:
    context.until(lambda: context.stack.identity(service) is not None, f"{service} runs")
    identity = context.stack.identity(service)
    if identity is None:
        raise StrikeError(f"{service} does not run")
    return identity


def _another(context: Context, service: str, before: Identity) -> Healed:
    """Whether another process than the one before is ready."""

    def healed() -> bool:
        status = next((one for one in context.stack.statuses() if one.name == service), None)
        return (
            status is not None
            and status.state == State.READY
            and status.identity is not None
            and status.identity != before
        )

    return healed
