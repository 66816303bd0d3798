"""A build that dies on its way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from neonblue.faults import marts
from neonblue.faults.own_stack import clean_environment
from neonblue.faults.plan import Fault
from neonblue.faults.strikes.context import Context, Healed, at_once


def build_killed(context: Context, fault: Fault) -> Healed:
    """dbt and all that it started die, and the same build is run again to its end."""
    building = subprocess.Popen(
        context.stack.arguments(*marts.BUILD),
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        context.hold(fault.seconds, lambda: building.poll() is not None)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(building.pid, signal.SIGKILL)
        building.wait()
    if not context.stop.is_set() and (told := marts.build(context.stack)):
        context.notes.wrong.append(f"a build after one that was killed failed: {told}")
    return at_once
