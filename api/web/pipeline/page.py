"""What the pipeline's page says: the whole in a sentence, each stage of the way, and what did not arrive. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.answering import Answered
from api.pipeline import BEHIND_SECONDS
from api.pipeline_state.looking import Look
from api.pipeline_state.replaying import Replay
from api.pipeline_state.service import Seen
from api.pipeline_state.warehouse import KINDS, Canary, Kind, Letter, LiveTable
from neonblue.disk import Room
from neonblue.statistics import numbers
from neonblue.texts import person, plain

OK, WARN, FAIL, UNKNOWN = "ok", "warn", "fail", ""
"""Kinds of a state: well, late or low, broken, not to be looked at now."""
_MARKS = {OK: "✓", WARN: "!", FAIL: "✗", UNKNOWN: "?"}
LONGEST_LAG = 10_000
"""Messages that may wait in the topic; past them the alert ConsumerBehind comes."""
LONGEST_WAY = timedelta(seconds=60)
"""Since the newest heartbeat was sent; past it the alert CanaryLate comes. One is sent every ten seconds."""
LONGEST_LIVE = timedelta(seconds=120)
"""Since a live table was refreshed; past it the alert LiveTablesStale comes."""
_WAITS = 0.5
"""Of the log that may be kept: past this share the alert SlotGrows comes."""
_SIZES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the way. value: the number to look at; notes: what it is, and what else there is. why: what is wrong,
    or why it can't be told; empty where it is well."""

    name: str
    kind: str
    value: str
    notes: tuple[str, ...] = ()
    why: str = ""

    @property
    def mark(self) -> str:
        """Beside its name."""
        return _MARKS[self.kind]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A table of the models: when it was made last, None: never; its age; what is said of it."""

    name: str
    at: datetime | None
    age: str
    kind: str
    state: str

    @property
    def mark(self) -> str:
        """Beside its state."""
        return _MARKS[self.kind]


@dataclass(frozen=True, slots=True)
class Opened:
    """The newest letters of one error; none for the reason `why`."""

    error: str
    letters: tuple[Letter, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The last replay of this process, in a sentence. is_under_way: it has not ended."""

    kind: str
    text: str
    at: datetime
    is_under_way: bool

    @property
    def mark(self) -> str:
        """Beside its sentence."""
        return _MARKS[self.kind]


@dataclass(frozen=True, slots=True)
class PipelinePage:
    """decision: what colours the first words. live, built, letters: None where they could not be read, each for its own
    reason (`…_why`). error: why what was sent was refused."""

    at: datetime
    decision: str
    mark: str
    title: str
    say: str
    stages: tuple[Stage, ...]
    live: tuple[Fresh, ...] | None
    live_why: str
    built: tuple[Fresh, ...] | None
    built_why: str
    letters: tuple[Kind, ...] | None
    letters_why: str
    letters_count: str
    opened: Opened | None
    replayed: Replayed | None
    error: str


def pipeline_page(seen: Seen, workers: int, opened: Opened | None = None, error: str = "") -> PipelinePage:
    """workers: processes of the API, of which one tells its own rate."""
    stages = (
        _api(seen, workers),
        _postgres(seen),
        _connector(seen),
        _topic(seen),
        _warehouse(seen),
        _models(seen),
    )
    decision, title, say = _said(stages)
    kinds = seen.letters.value
    return PipelinePage(
        at=seen.at,
        decision=decision,
        mark={"ship": "✓", "stop": "✗", "caution": "!"}.get(decision, "?"),
        title=title,
        say=say,
        stages=stages,
        live=None if seen.live.value is None else tuple(_live(one, seen.at) for one in seen.live.value),
        live_why=seen.live.why,
        built=None
        if seen.built.value is None
        else tuple(
            Fresh(one.name, one.at, age_of(seen.at - one.at), OK, "built") for one in seen.built.value
        ),
        built_why=seen.built.why,
        letters=kinds,
        letters_why=seen.letters.why,
        letters_count=_letters_count(kinds),
        opened=opened,
        replayed=None if seen.replay is None else _replayed(seen.replay),
        error=error,
    )


def opened_of(error: str, look: Look[tuple[Letter, ...]]) -> Opened:
    """The letters as they were read."""
    why = look.why or ("" if look.value else "No dead letter has this error any more.")
    return Opened(error, look.value or (), why)


def age_of(age: timedelta) -> str:
    """As people say it: 4 s, 12 min, 3 h, 5 days."""
    seconds = max(age.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def size_of(amount: int) -> str:
    """Bytes, with the unit that fits."""
    for unit, name in _SIZES:
        if amount >= unit:
            return f"{amount / unit:,.0f} {name}"
    return f"{amount} B"


def _said(stages: Sequence[Stage]) -> tuple[str, str, str]:
    """The worst of the stages first: what it is, and what it means."""
    broken, late, unknown = (
        [stage for stage in stages if stage.kind == kind] for kind in (FAIL, WARN, UNKNOWN)
    )
    taking = not any(stage.kind == FAIL for stage in stages[:2])
    if broken and not taking:
        return (
            "stop",
            "Events are not taken",
            _whys(broken) + " Clients keep what they send, and send it again.",
        )
    if broken:
        return (
            "stop",
            f"The stream stands still: {_names(broken)}",
            _whys(broken) + " Events are taken all the same, and nothing of them is lost.",
        )
    if late:
        return "caution", f"Events flow; look at {_names(late)}", _whys(late)
    if unknown:
        return "", f"What can be looked at is well; {_names(unknown)} can’t be", _whys(unknown)
    return (
        "ship",
        "Events flow, and results follow",
        "Every stage does its work. What is acknowledged is stored; it is in the results within a minute.",
    )


def _names(stages: Sequence[Stage]) -> str:
    return ", ".join(stage.name for stage in stages)


def _whys(stages: Sequence[Stage]) -> str:
    return " ".join(dict.fromkeys(stage.why for stage in stages))


def _api(seen: Seen, workers: int) -> Stage:
    of = "this process, one of several" if workers > 1 else "the API"
    if not seen.takes_events:
        return Stage("API", FAIL, "refuses", (), "The API stores no events at the moment.")
    rate = seen.rate
    if rate is None:
        return Stage("API", OK, "takes events", ("its rate is told after ten seconds",))
    notes = [f"events accepted, last {rate.seconds:.0f} s, {of}"]
    if rate.rejected:
        notes.append(f"{_per_second(rate.rejected)} rejected")
    return Stage("API", OK, _per_second(rate.accepted), tuple(notes))


def _postgres(seen: Seen) -> Stage:
    if seen.postgres is not Answered.OK:
        return Stage("PostgreSQL", FAIL, "away", (), f"PostgreSQL is {seen.postgres.value}.")
    seconds = None if seen.rate is None else seen.rate.commit_p99
    notes = [
        "99 of 100 commits of events" if seconds is not None else "no commit of events in the last minute"
    ]
    value = "answers" if seconds is None else _at_most(seconds)
    if seen.disk == Room.FULL.value:
        return Stage("PostgreSQL", FAIL, "disk full", tuple(notes), "The disk of the server is full.")
    if seen.disk != Room.OK.value:
        return Stage(
            "PostgreSQL", WARN, value, tuple(notes), f"The room on the server’s disk is {seen.disk}."
        )
    return Stage("PostgreSQL", OK, value, tuple(notes))


def _connector(seen: Seen) -> Stage:
    stream = seen.stream
    kept = f"the slot keeps {size_of(stream.lag_bytes)}"
    name = "Connector"
    if not stream.is_present:
        why = "PostgreSQL has no replication slot, or has given it up: the connector makes it when it starts."
        return Stage(name, FAIL, "no slot", (f"{size_of(stream.lag_bytes)} wait for it",), why)
    behind = stream.behind_seconds
    if behind >= BEHIND_SECONDS:
        why = f"Nothing was published for {behind:.0f} s that was there to be: “neonblue logs connect” says why."
        return Stage(name, FAIL, age_of(timedelta(seconds=behind)), ("behind", kept), why)
    if not stream.is_read:
        return Stage(name, WARN, "away", (kept,), "No connector reads from PostgreSQL at this moment.")
    if stream.lag_bytes > _WAITS * stream.limit_bytes:
        why = f"The slot keeps {size_of(stream.lag_bytes)}; past {size_of(stream.limit_bytes)} events are refused."
        return Stage(name, WARN, "reads", (kept,), why)
    return Stage(name, OK, "reads", ("from PostgreSQL’s log", kept))


def _topic(seen: Seen) -> Stage:
    lags = seen.topic.value
    if lags is None:
        return Stage("Topic", UNKNOWN, numbers.NONE, (), seen.topic.why)
    waiting = sum(lag.messages for lag in lags)
    parts = f"{numbers.count(len(lags))} {'partition' if len(lags) == 1 else 'partitions'}"
    notes = ("messages wait for ClickHouse", parts)
    if waiting > LONGEST_LAG:
        return Stage(
            "Topic", WARN, numbers.count(waiting), notes, "ClickHouse is behind the topic: results are late."
        )
    return Stage("Topic", OK, numbers.count(waiting), notes)


def _warehouse(seen: Seen) -> Stage:
    if seen.canary.why:
        return Stage("ClickHouse", UNKNOWN, numbers.NONE, (), seen.canary.why)
    canary: Canary | None = seen.canary.value
    if canary is None:
        return Stage(
            "ClickHouse",
            WARN,
            "answers",
            (),
            "No heartbeat of the stream has arrived within a day: how late results are can’t be told.",
        )
    way, age = canary.arrived - canary.sent, seen.at - canary.sent
    notes = ("from commit to row, the newest heartbeat", f"sent {age_of(age)} ago")
    if age > LONGEST_WAY:
        why = f"The newest heartbeat that arrived was sent {age_of(age)} ago: results show nothing later."
        return Stage("ClickHouse", WARN, age_of(age), ("behind",), why)
    return Stage("ClickHouse", OK, age_of(way), notes)


def _models(seen: Seen) -> Stage:
    tables = seen.live.value
    if tables is None:
        return Stage("Models", UNKNOWN, numbers.NONE, (), seen.live.why)
    if not tables:
        return Stage("Models", WARN, "none", (), "The models were not built yet: the first build makes them.")
    found = [_live(one, seen.at) for one in tables]
    late = [one for one in found if one.kind != OK]
    value = f"{len(found) - len(late)} of {len(found)}"
    if late:
        names = ", ".join(f"{one.name} ({one.state})" for one in late)
        return Stage(
            "Models", WARN, value, ("live tables fresh",), f"Live tables show no later events: {names}."
        )
    return Stage("Models", OK, value, ("live tables fresh",))


def _live(table: LiveTable, now: datetime) -> Fresh:
    if table.refreshed is None:
        return Fresh(table.name, None, numbers.NONE, WARN, "never filled")
    age = now - table.refreshed
    if table.is_failing:
        return Fresh(table.name, table.refreshed, age_of(age), WARN, "its refresh failed")
    late = age > LONGEST_LIVE
    return Fresh(table.name, table.refreshed, age_of(age), WARN if late else OK, "late" if late else "fresh")


def _letters_count(kinds: Sequence[Kind] | None) -> str:
    if not kinds:
        return ""
    number = sum(kind.number for kind in kinds)
    several = "the first " if len(kinds) == KINDS else ""
    letters = f"{numbers.count(number)} {'letter' if number == 1 else 'letters'}"
    return f"{letters} of {several}{numbers.count(len(kinds))} {'error' if len(kinds) == 1 else 'errors'}, in 180 days"


def _replayed(replay: Replay) -> Replayed:
    by = person(replay.by)
    rows = ", ".join(f"{numbers.count(number)} {plain(kind)}" for kind, number in replay.published.items())
    if replay.ended is None:
        return Replayed(
            UNKNOWN,
            f"A replay by {by} is under way. Published so far: {rows or 'nothing yet'}.",
            replay.began,
            True,
        )
    if replay.problem:
        return Replayed(
            FAIL, f"The replay by {by} did not end: {plain(replay.problem)}.", replay.ended, False
        )
    told = f"published again: {rows}" if rows else "nothing was missing that PostgreSQL has"
    left = replay.unresolved
    rest = (
        ""
        if left is None
        else " What every dead letter tells of is present."
        if left == 0
        else f" What {numbers.count(left)} dead {'letter tells' if left == 1 else 'letters tell'} of is not present: "
        "PostgreSQL never had it, or it is still on its way."
    )
    return Replayed(
        OK if not left else WARN, f"The replay by {by} has ended; {told}.{rest}", replay.ended, False
    )


def _per_second(rate: float) -> str:
    digits = 0 if rate >= 10 or rate == 0 else 1 if rate >= 0.1 else 2
    return f"{rate:,.{digits}f} /s"


def _at_most(seconds: float) -> str:
    return "over 5 s" if math.isinf(seconds) else f"≤ {1000 * seconds:g} ms"
