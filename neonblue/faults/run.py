"""One fault run: a stack, a load, the faults of a plan, and what became of it all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from neonblue.client import ClientError
from neonblue.faults import marts
from neonblue.faults.kinds import NATURES, Kind
from neonblue.faults.load import Way
from neonblue.faults.notes import longest_gap
from neonblue.faults.oracle import Findings
from neonblue.faults.outcome import TOLD_WITHIN_SECONDS, FaultOutcome, Remedy, RunOutcome
from neonblue.faults.own_stack import LateError, OwnStack
from neonblue.faults.plan import Fault, Plan
from neonblue.faults.recovery import Recovery
from neonblue.faults.strikes import storage
from neonblue.faults.strikes.context import Context, Healed, StrikeError, at_once
from neonblue.faults.strikes.table import STRIKES, impossible
from neonblue.faults.traffic import Traffic
from neonblue.faults.watch import AlertListener, Watch, first

FINAL_SECONDS = 150.0
"""What is removed in the background is looked for at most once a minute."""
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes. `rate`: events a second. `ready_seconds`, `recovery_seconds`: how long a start, and a recovery
    from a fault, may take. `marts`: whether the models are compared with a clean build at the end."""

    folder: Path
    services: tuple[str, ...]
    rate: float = 60.0
    ready_seconds: float = 300.0
    recovery_seconds: float = 120.0
    marts: bool = False


@dataclass(slots=True)
class _Strike:
    """One fault under way. Times are of the monotonic clock."""

    fault: Fault
    began: float = 0.0
    lifted: float = 0.0
    healed: Healed = at_once
    skipped: str = ""


def run(plan: Plan, options: Options, stop: threading.Event, say: Say) -> RunOutcome:
    """Carry out a plan. Leaves no process, however it ends; the folder stays. Interrupted, it tells what it saw so far.

    Raises StackError where the stack can't be set up.
    """
    outcome = RunOutcome(plan, folder=str(options.folder))
    try:
        _run(outcome, options, stop, say)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _run(outcome: RunOutcome, options: Options, stop: threading.Event, say: Say) -> None:
    plan, unable = outcome.plan, impossible()
    with ExitStack() as closing:
        if plan.has(Kind.DISK_FULL) and Kind.DISK_FULL not in unable:
            closing.enter_context(storage.small_disk(options.folder))
        alerts = AlertListener()
        closing.callback(alerts.stop)
        library = storage.faketime() if plan.has(Kind.CLOCK_STEPS) else None
        clock = {}
        if library is not None:
            clock = closing.enter_context(storage.clock_environment(options.folder, library))
        stack = OwnStack(options.folder, options.services, clock)
        stack.prepare(alerts.address)
        closing.callback(stack.end)
        say("starting the stack …")
        stack.up()
        try:
            stack.wait_ready(options.ready_seconds, stop)
        except LateError as error:
            outcome.stuck.append(f"it was not ready before the first fault, {error}")
            return
        watch = Watch(stack, alerts)
        closing.callback(watch.stop)
        watch.start()
        _Conductor(outcome, options, stack, watch, stop, say, unable).conduct(closing)


class _Conductor:
    """Lets the faults strike in their turn, and judges after each."""

    def __init__(
        self,
        outcome: RunOutcome,
        options: Options,
        stack: OwnStack,
        watch: Watch,
        stop: threading.Event,
        say: Say,
        unable: dict[Kind, str],
    ) -> None:
        self._outcome, self._options, self._say, self._unable = outcome, options, say, unable
        self._stack, self._watch, self._stop = stack, watch, stop
        api = stack.settings.api
        seed = outcome.plan.seed
        self._traffic = Traffic(Way(api.address, api.token.get_secret_value()), api.port, seed, options.rate)
        self._context = Context(
            stack=stack,
            notes=self._traffic.notes,
            stop=stop,
            draw=random.Random(seed),  # noqa: S311 - it must be the same again
            change_weather=self._traffic.change_weather,
            reset_connections=self._traffic.reset_connections,
            stuck=outcome.stuck,
        )
        self._recovery = Recovery(self._context, watch)
        self._known = Findings()

    def conduct(self, closing: ExitStack) -> None:
        """Everything between the stack's start and its end."""
        outcome = self._outcome
        outcome.repair_available = "--repair" in self._stack.command("reconcile", "--help", seconds=60).stdout
        closing.callback(self._traffic.stop)
        try:
            self._traffic.start()
        except (ClientError, TimeoutError) as error:
            outcome.stuck.append(f"no load could be started: {type(error).__name__}: {error}")
            return
        began = time.monotonic()
        for group in outcome.plan.groups:
            self._context.hold(began + group[0].at - time.monotonic())
            if self._stop.is_set():
                return
            self._group(group, began)
        self._end()

    def _group(self, group: Sequence[Fault], began: float) -> None:
        late = max(0.0, time.monotonic() - began - group[0].at)
        self._context.undo.clear()
        strikes = [_Strike(fault) for fault in group]
        threads = [
            threading.Thread(target=self._strike, args=(strike, began + strike.fault.at + late), daemon=True)
            for strike in strikes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = [strike for strike in strikes if not strike.skipped]
        outcomes = {id(strike): FaultOutcome(strike.fault, strike.skipped) for strike in strikes}
        self._outcome.faults += outcomes.values()
        if done and not self._stop.is_set():
            self._judge(done, [outcomes[id(strike)] for strike in done])
        for one in outcomes.values():
            self._say(_line(one))

    def _strike(self, strike: _Strike, due: float) -> None:
        fault = strike.fault
        strike.skipped = self._unable.get(fault.kind, "")
        if strike.skipped:
            return
        self._context.hold(due - time.monotonic())
        self._say(f"{fault.title}{f' for {fault.seconds:.0f} s' if fault.seconds else ''} …")
        strike.began = time.monotonic()
        try:
            strike.healed = STRIKES[fault.kind](self._context, fault)
        except StrikeError as error:
            strike.skipped = f"not done: {error}"
        except Exception as error:
            # Another fault of its group may have taken what it needs.
            strike.skipped = f"not done: {type(error).__name__}: {error}"[:200]
        strike.lifted = time.monotonic()

    def _judge(self, strikes: Sequence[_Strike], outcomes: Sequence[FaultOutcome]) -> None:
        """Wait for the recovery, compare the stores, help where nothing healed by itself."""
        began = min(strike.began for strike in strikes)
        settled = self._recovery.settle([strike.healed for strike in strikes], self._options.recovery_seconds)
        found = self._recovery.compare()
        new = found.less(self._known) if found is not None else Findings()
        told_until = time.monotonic()
        remedy, left = Remedy.ITSELF, new
        if settled is None or found is None or new.missing:
            told_until = max(told_until, began + TOLD_WITHIN_SECONDS)
            remedy, left = self._recovery.help(
                began,
                self._known,
                repair=self._outcome.repair_available,
                seconds=self._options.recovery_seconds,
            )
        self._known.add(left)
        tellings = self._watch.tellings()
        for place, (strike, one) in enumerate(zip(strikes, outcomes, strict=True)):
            nature = NATURES[strike.fault.kind]
            one.remedy = remedy
            one.found, one.left = (new, left) if place == 0 else (Findings(), Findings())
            if settled is not None and remedy is Remedy.ITSELF:
                one.recovered = settled - (strike.lifted if nature.from_lift else strike.began)
            until = min(told_until, strike.began + TOLD_WITHIN_SECONDS)
            telling = first(tellings, strike.fault.names, strike.began, until)
            if telling is not None:
                one.told, one.told_by = telling.at - strike.began, f"{telling.way}: {telling.text}"[:200]
            acknowledged = list(self._context.notes.acknowledged.values())
            one.gap = longest_gap(acknowledged, strike.began, settled or time.monotonic())

    def _end(self) -> None:
        """No more load: everything must be ready, equal, and stop."""
        outcome, notes = self._outcome, self._context.notes
        self._say("the faults are through; comparing …")
        if (error := self._traffic.stop()) is not None:
            outcome.stuck.append(f"the load ended before its time: {type(error).__name__}: {error}")
        if self._recovery.settle((), self._options.recovery_seconds) is None:
            late = [f"{one.name} {one.state} {one.detail}" for one in self._stack.statuses()]
            outcome.stuck.append(f"not everything works at the end: {'; '.join(late)}")
        found = self._recovery.compare(FINAL_SECONDS, erasures=True)
        if found is None:
            outcome.stuck.append("the stores can't be read at the end")
        else:
            outcome.final = found
        outcome.acknowledged, outcome.unanswered = len(notes.acknowledged), len(notes.sent)
        outcome.units = len(notes.stored_answers)
        if self._options.marts and not self._stop.is_set():
            self._say("building the models, and building them from nothing …")
            outcome.marts = marts.differing(self._stack)
        outcome.down_seconds = self._stack.down()
        if outcome.down_seconds is None:
            outcome.stuck.append("the stack did not stop in time at the end and was killed")


def _line(one: FaultOutcome) -> str:
    """One fault's outcome for the terminal."""
    if one.skipped:
        return f"{one.fault.title}: skipped, {one.skipped}"
    told = (
        "-"
        if not one.fault.names
        else "not told"
        if one.told is None
        else f"told after {one.told:.1f} s ({one.told_by})"
    )
    healed = f"healed after {one.recovered:.1f} s" if one.recovered is not None else f"healed by {one.remedy}"
    line = f"{one.fault.title}: {healed}, {told}"
    for when, found in (("at first", one.found), ("left", one.left)):
        if wrong := ", ".join(f"{count} {name}" for name, count in found.counts().items() if count):
            line += f"; {when} {wrong}"
    return line
