"""The list of experiments as the template has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from api.experiments.answers import ExperimentOut
from api.experiments.service import Census
from api.results.glances import Glance, Missing
from api.web.experiments.rows import Group, Row, effect_of_row, row_of
from api.web.shared.drawing import Axis, axis_of
from api.web.shared.results import AsOf, seen_of
from neonblue.contract.life_cycle import Status

_LATE_SECONDS = 120


class Chip(StrEnum):
    """What the list is narrowed to by one click. ALL leaves out what was put away."""

    ALL = "all"
    RUNNING = "running"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    CONCLUDED = "concluded"
    ARCHIVED = "archived"


STATUSES: Mapping[Chip, tuple[Status, ...]] = {
    Chip.ALL: tuple(status for status in Status if status is not Status.ARCHIVED),
    Chip.RUNNING: (Status.RUNNING,),
    Chip.PAUSED: (Status.PAUSED,),
    Chip.NOT_STARTED: (Status.DRAFT, Status.SCHEDULED),
    Chip.CONCLUDED: (Status.CONCLUDED,),
    Chip.ARCHIVED: (Status.ARCHIVED,),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address bar asks for; empty texts ask for nothing."""

    chip: Chip = Chip.ALL
    text: str = ""
    tag: str = ""
    owner: str = ""

    @property
    def filters(self) -> dict[str, str | bool | None]:
        """As the service takes them, without the status."""
        return {
            "text": self.text or None,
            "tag": self.tag or None,
            "owner": self.owner or None,
            "layer": None,
            "stale": False,
        }

    @property
    def is_narrowed(self) -> bool:
        """Whether something is searched for."""
        return bool(self.text or self.tag or self.owner)

    def address(self, chip: Chip | None = None, cursor: str | None = None) -> str:
        """The list with another chip or page, from its own address on."""
        chosen = chip or self.chip
        given = {
            "state": "" if chosen is Chip.ALL else chosen.value,
            "text": self.text,
            "tag": self.tag,
            "owner": self.owner,
            "cursor": cursor or "",
        }
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else "?"


@dataclass(frozen=True, slots=True)
class ChipLink:
    """A chip with how many it leaves."""

    label: str
    count: int
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ListPage:
    """Everything the list shows. notice: what keeps results from being shown, empty where nothing does.

    matching: experiments of the chosen chip on all pages. is_first: whether there is no page before.
    """

    wanted: Wanted
    chips: tuple[ChipLink, ...]
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    axis: Axis
    groups: tuple[tuple[Group, tuple[Row, ...]], ...]
    shown: int
    matching: int
    total: int
    is_first: bool
    next_href: str
    notice: str
    asof: AsOf | None


def ages_of(experiments: Sequence[ExperimentOut], running: float, ended: float) -> dict[str, float]:
    """Whose results the list asks for, and how old each may be, in seconds: what has not started has none."""
    return {
        each.key: ended if each.status in (Status.CONCLUDED, Status.ARCHIVED) else running
        for each in experiments
        if each.started_at is not None or each.source == "external"
    }


def list_page(
    experiments: Sequence[ExperimentOut],
    glances: Mapping[str, Glance],
    census: Census,
    wanted: Wanted,
    cursor: tuple[str | None, str | None],
    now: datetime,
) -> ListPage:
    """The page. cursor: that of this page, None on the first, and that of the next, None on the last."""
    seen = [seen_of(each, glances.get(each.key, Glance())) for each in experiments]
    effects = [effect_of_row(each) for each in seen]
    axis = axis_of(effect for effect in effects if effect is not None)
    rows = [row_of(each, found, axis, now) for each, found in zip(experiments, seen, strict=True)]
    groups = tuple(
        (group, found) for group in Group if (found := tuple(row for row in rows if row.group is group))
    )
    return ListPage(
        wanted=wanted,
        chips=tuple(_chip(chip, census, wanted) for chip in Chip),
        owners=_choices(census.owners, wanted.owner),
        tags=_choices(census.tags, wanted.tag),
        axis=axis,
        groups=groups,
        shown=len(rows),
        matching=_matching(census, wanted.chip),
        total=sum(census.counts.values()),
        is_first=cursor[0] is None,
        next_href=wanted.address(cursor=cursor[1]) if cursor[1] else "",
        notice=_notice(list(glances.values())),
        asof=_asof(list(glances.values()), now),
    )


def _choices(known: Sequence[str], chosen: str) -> tuple[str, ...]:
    """What there is, and what was chosen, though nothing has it."""
    return (*known, chosen) if chosen and chosen not in known else tuple(known)


def _matching(census: Census, chip: Chip) -> int:
    return sum(census.counts.get(status, 0) for status in STATUSES[chip])


def _chip(chip: Chip, census: Census, wanted: Wanted) -> ChipLink:
    label = chip.value.replace("_", " ").capitalize()
    return ChipLink(label, _matching(census, chip), wanted.address(chip), chip is wanted.chip)


def _notice(glances: Sequence[Glance]) -> str:
    missing = [glance.missing for glance in glances]
    if Missing.AWAY in missing:
        return "away"
    return "asking" if Missing.NOT_ASKED in missing else ""


def _asof(glances: Sequence[Glance], now: datetime) -> AsOf | None:
    ages = [glance.age for glance in glances if glance.look is not None and glance.missing]
    ages = ages or [glance.age for glance in glances if glance.look is not None]
    if not ages:
        return None
    late = any(glance.missing is Missing.AWAY for glance in glances)
    return AsOf(now - timedelta(seconds=max(ages)), late and max(ages) > _LATE_SECONDS)
