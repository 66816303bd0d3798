"""A fault run's outcome as JSON, as sentences, and as the table of docs/reliability.md. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict
from typing import Any

from neonblue.faults.oracle import Findings
from neonblue.faults.outcome import FaultOutcome, Row, RunOutcome, rows
from neonblue.faults.plan import Plan

LISTED = 5
"""So many ids or sentences of each finding are shown to people; JSON has up to a hundred."""
_LISTED_IN_JSON = 100

Column = tuple[str, Callable[[Row], str]]
COLUMNS: Sequence[Column] = (
    ("fault", lambda row: row.title),
    ("runs", lambda row: str(row.runs) if row.runs else f"skipped: {row.skipped}"),
    ("lost", lambda row: _ran(row, str(row.lost))),
    ("missing at first", lambda row: _ran(row, str(row.missing))),
    ("doubled", lambda row: _ran(row, str(row.doubled))),
    ("healed by itself", lambda row: _ran(row, _healed(row))),
    ("told after s", lambda row: _ran(row, _told(row))),
    ("recovery s: median, longest", lambda row: _ran(row, _recovery(row))),
    ("longest s without an ack", lambda row: _ran(row, f"{row.gap_max:.1f}")),
)


def _ran(row: Row, text: str) -> str:
    return text if row.runs else ""


def _healed(row: Row) -> str:
    if row.healed == row.runs:
        return "yes"
    by = " or ".join(row.helped_by)
    return f"{row.healed} of {row.runs}; else by {by}" if row.healed else f"no; by {by}"


def _told(row: Row) -> str:
    if row.untold:
        return f"{row.untold} not told"
    return "-" if row.told_max is None else f"{row.told_max:.1f}"


def _recovery(row: Row) -> str:
    if row.recovery_median is None or row.recovery_max is None:
        return "-"
    return f"{row.recovery_median:.1f}, {row.recovery_max:.1f}"


def markdown(outcomes: Sequence[RunOutcome]) -> str:
    """The table, and a sentence on what was run."""
    lines = [f"| {' | '.join(name for name, _ in COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(show(row) for _, show in COLUMNS)} |" for row in rows(outcomes)]
    return "\n".join([*lines, "", summary(outcomes)])


def summary(outcomes: Sequence[RunOutcome]) -> str:
    """What was run, in one sentence."""
    seeds = _ranges({outcome.plan.seed for outcome in outcomes})
    good = sum(outcome.good for outcome in outcomes)
    faults = sum(not one.skipped for outcome in outcomes for one in outcome.faults)
    acknowledged = sum(outcome.acknowledged for outcome in outcomes)
    units = sum(outcome.units for outcome in outcomes)
    lost = sum(len(outcome.final.lost | outcome.final.missing) for outcome in outcomes)
    doubled = sum(len(outcome.final.doubled) for outcome in outcomes)
    return (
        f"Seeds {seeds}: {good} of {len(outcomes)} runs good, {faults} faults, {acknowledged:,} acknowledged events "
        f"and {units:,} assigned units; at the end {lost:,} lost, {doubled:,} doubled."
    )


def _ranges(numbers: Set[int]) -> str:
    """As `1-3, 7`: what follows one upon the other is written as a range."""
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    pairs = zip(starts, ends, strict=True)
    return ", ".join(str(start) if start == end else f"{start}-{end}" for start, end in pairs)


def complaints(outcome: RunOutcome) -> Iterator[str]:
    """What makes a run bad, in sentences."""
    if outcome.interrupted:
        yield "it was interrupted: what follows is what was seen so far"
    yield from outcome.stuck
    for name, count in outcome.final.counts().items():
        if count:
            yield f"at the end {count:,} {name}: {_some(getattr(outcome.final, name))}"
    for one in outcome.faults:
        harm = {name: getattr(one.found, name) for name in ("lost", "doubled", "moved")}
        for name, found in harm.items():
            if found:
                yield f"{one.fault.title} at {one.fault.at:g} s: {len(found):,} {name}: {_some(found)}"
    for one in outcome.untold:
        yield f"{one.fault.title} at {one.fault.at:g} s was not told within a minute, and did not heal in one"
    for one in outcome.unhealed:
        yield f"{one.fault.title} at {one.fault.at:g} s did not heal by itself; it took {one.remedy}"
    yield from outcome.marts or ()


def _some(found: set[str]) -> str:
    shown = sorted(found)[:LISTED]
    return ", ".join(shown) + (", …" if len(found) > LISTED else "")


def as_json(outcome: RunOutcome) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "good": outcome.good,
        "plan": plan_as_json(outcome.plan),
        "faults": [_fault(one) for one in outcome.faults],
        "rows": [asdict(row) for row in rows([outcome])],
        "final": _findings(outcome.final),
        "stuck": outcome.stuck,
        "marts": outcome.marts,
        "acknowledged": outcome.acknowledged,
        "unanswered": outcome.unanswered,
        "units": outcome.units,
        "down_seconds": outcome.down_seconds,
        "repair_available": outcome.repair_available,
        "complaints": list(complaints(outcome)),
        "folder": outcome.folder,
        "interrupted": outcome.interrupted,
    }


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Seed, minutes, and the faults in groups that overlap."""
    return {
        "seed": plan.seed,
        "minutes": plan.minutes,
        "groups": [[asdict(fault) for fault in group] for group in plan.groups],
    }


def _fault(one: FaultOutcome) -> dict[str, Any]:
    return {
        **asdict(one.fault),
        "skipped": one.skipped,
        "told_seconds": one.told,
        "told_by": one.told_by,
        "untold": one.untold,
        "recovered_seconds": one.recovered,
        "remedy": one.remedy,
        "longest_gap_seconds": one.gap,
        "found": _findings(one.found),
        "left": _findings(one.left),
    }


def _findings(found: Findings) -> dict[str, Any]:
    return {
        name: {"count": count, "listed": sorted(getattr(found, name))[:_LISTED_IN_JSON]}
        for name, count in found.counts().items()
    }
