"""Which days of events may go, and what holds them back. Pure.

What retention would take is announced before it goes: by each run, in what the run says of itself. So neither an
upgrade nor a shorter setting removes at once what grew for years, and in the run of days each was announced in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

NOTICE = timedelta(days=30)
"""Between the announcement and the end."""
LOOK_BACK = timedelta(days=90)
"""Before an experiment's first unit: what reduces its variance was measured then."""


@dataclass(frozen=True, slots=True)
class Needed:
    """An experiment that is not decided. since: the day its first unit entered, or it started."""

    key: str
    since: date

    @property
    def first_day(self) -> date:
        return self.since - LOOK_BACK


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a run said: that what lies before the day goes when the notice has passed."""

    made_at: datetime
    before: date


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to where retention reaches. past: what lies before is past its retention; before: of that, what may go now."""

    past: date
    before: date
    held_by: Needed | None = None

    @property
    def on_notice(self) -> bool:
        """Whether something past its retention waits for the notice alone."""
        return self.before < min(self.past, self.held_by.first_day if self.held_by else self.past)


def limits(
    past: date, needed: Iterable[Needed], announcements: Iterable[Announcement], now: datetime
) -> Limits:
    """What may go now. past: what lies before is past its retention."""
    first = min(needed, key=lambda one: one.first_day, default=None)
    holding = first if first is not None and first.first_day < past else None
    known = _announced(list(announcements), now)
    return Limits(past, min(past, holding.first_day if holding else past, known), holding)


def _announced(announcements: list[Announcement], now: datetime) -> date:
    """What every run of the whole notice has announced."""
    old = [one.made_at for one in announcements if one.made_at + NOTICE <= now]
    if not old:
        return date.min
    return min(one.before for one in announcements if one.made_at >= max(old))


def said_of(reach: Limits, what: str, setting: str, oldest: date | None) -> list[str]:
    """What the keeper should know of the limits. oldest: the first day that is kept; what: days or months."""
    if oldest is None or oldest >= reach.past:
        return []
    lines = []
    if reach.held_by is not None:
        lines.append(
            f"{what} from {max(oldest, reach.held_by.first_day)} on are kept beyond {setting}: experiment "
            f"{reach.held_by.key} is not decided; conclude it with a decision, or archive it"
        )
    if reach.on_notice and oldest < (reach.held_by.first_day if reach.held_by else reach.past):
        lines.append(
            f"{what} from {oldest} to {reach.past} are past their retention and go within {NOTICE.days} days; "
            f"{setting}=0 in neonblue.env, and a restart, keep them"
        )
    return lines
