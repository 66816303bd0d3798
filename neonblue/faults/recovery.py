"""When the stack is whole again after a fault, and what helps where it is not."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import psycopg
from clickhouse_connect.driver.exceptions import ClickHouseError

from neonblue.faults.load import event_id
from neonblue.faults.oracle import Findings
from neonblue.faults.outcome import TOLD_WITHIN_SECONDS, Remedy
from neonblue.faults.own_stack import LateError
from neonblue.faults.stores import look
from neonblue.faults.strikes.context import Context, Healed
from neonblue.faults.watch import Watch

COMPARE_SECONDS = 30.0
"""What is on its way may take so long after the recovery."""
REPAIR_SECONDS = 300.0
_PULSE_SECONDS = 20.0
"""A pulse that has not come through by then may be lost: another one is sent."""
_POLL_SECONDS = 0.4
_OWNER = "person-of-the-pulse"
_PRESENT = "SELECT count() FROM events_processed WHERE event_id = {id:UUID}"


class Recovery:
    """Looks whether everything works: the record, ``/readyz``, and an event that goes all the way through."""

    def __init__(self, context: Context, watch: Watch) -> None:
        self._context = context
        self._watch = watch

    def settle(self, healed: Sequence[Healed], seconds: float) -> float | None:
        """Wait until all works: the moment (monotonic), or None where it did not within so many seconds."""
        deadline, pulse, sent = time.monotonic() + seconds, "", 0.0
        while time.monotonic() < deadline and not self._context.stop.is_set():
            if self._works(healed):
                if pulse and self._seen(pulse):
                    return time.monotonic()
                if not pulse or time.monotonic() - sent > _PULSE_SECONDS:
                    pulse, sent = self._send() or pulse, time.monotonic()
            self._context.stop.wait(_POLL_SECONDS)
        return None

    def compare(self, seconds: float = COMPARE_SECONDS, *, erasures: bool = False) -> Findings | None:
        """What is wrong in the stores now; None where they can't be read."""
        deadline = time.monotonic() + seconds
        while not self._context.stop.is_set():
            with contextlib.suppress(psycopg.Error, ClickHouseError, httpx.HTTPError, OSError):
                left = max(0.0, deadline - time.monotonic())
                return look(self._context.settings, self._context.notes, left, erasures=erasures)
            if time.monotonic() >= deadline:
                return None
            self._context.stop.wait(1.0)
        return None

    def help(self, began: float, known: Findings, *, repair: bool, seconds: float) -> tuple[Remedy, Findings]:
        """Try what an owner would, one after the other; what helped, and what is still wrong beyond `known`.

        First the minute ends in which the product must have told of it.
        """
        self._context.hold(began + TOLD_WITHIN_SECONDS - time.monotonic())
        left = Findings()
        for remedy in (Remedy.REPAIR, Remedy.RESTART, Remedy.HAND):
            if self._context.stop.is_set():
                break
            if (remedy is Remedy.REPAIR and not repair) or (remedy is Remedy.HAND and not self._context.undo):
                continue
            self._try(remedy, seconds)
            settled = self.settle((), seconds)
            found = self.compare()
            left = found.less(known) if found is not None else Findings()
            if settled is not None and found is not None and not left.missing:
                return remedy, left
        return Remedy.NOTHING, left

    def _try(self, remedy: Remedy, seconds: float) -> None:
        stack = self._context.stack
        if remedy is Remedy.REPAIR:
            with contextlib.suppress(subprocess.TimeoutExpired):
                stack.command("reconcile", "--repair", seconds=REPAIR_SECONDS)
            return
        if remedy is Remedy.HAND:
            for undo in self._context.undo:
                with contextlib.suppress(Exception):  # what it raises shows in what follows
                    undo()
            return
        if stack.down() is None:
            self._context.stuck.append("the stack did not stop in time and was killed")
        stack.up()
        with contextlib.suppress(LateError):
            stack.wait_ready(seconds, self._context.stop)

    def _works(self, healed: Sequence[Healed]) -> bool:
        if not (self._context.stack.ready() and self._watch.served):
            return False
        # Whatever a client library raises while a service is away: it is not whole yet.
        with contextlib.suppress(Exception):
            return all(whole() for whole in healed)
        return False

    def _send(self) -> str:
        """Send an event past the proxy; its id, or '' where it was not acknowledged."""
        now = datetime.now(UTC)
        one = event_id(now)
        body = {"id": one, "user_id": _OWNER, "event_type": "pulse", "timestamp": now.isoformat()}
        self._context.notes.sending([one], _OWNER)
        try:
            with self._context.stack.client() as http:
                answer = http.post("/v1/events", json=body)
        except httpx.HTTPError:
            return ""
        if not answer.is_success:
            return ""
        self._context.notes.acknowledge([one], time.monotonic())
        return one

    def _seen(self, one: str) -> bool:
        clickhouse = self._context.settings.clickhouse
        try:
            answer = httpx.post(
                clickhouse.address,
                params={"query": _PRESENT, "param_id": one},
                headers={
                    "X-ClickHouse-User": clickhouse.user,
                    "X-ClickHouse-Key": clickhouse.password.get_secret_value(),
                },
                timeout=5,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        return answer.is_success and answer.text.strip() == "1"
