"""What the catalogue's pages show: which metrics there are, and what one means, meant, and is used for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode

from api.metric_catalogue.schemas import CatalogueMetricOut, MetricVersionOut
from api.metric_catalogue.service import UsingExperiment
from api.web.catalogue.form import CHOICES, TYPES, Options
from api.web.catalogue.words import sentences_of
from api.web.shared.definitions import measured
from api.web.shared.difference import Difference, difference_of
from api.web.shared.forms import Filled

_NO_MEANING = frozenset({"key", "version", "created_at", "created_by", "reason"})


class Act(StrEnum):
    """What an editor's form does."""

    VERSION = "version"
    DESCRIBE = "describe"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; empty texts ask for nothing."""

    text: str = ""
    type: str = ""
    tag: str = ""
    owner: str = ""

    @property
    def filters(self) -> dict[str, str | None]:
        """As the service takes them."""
        given = {"text": self.text, "type": self.type, "tag": self.tag, "owner": self.owner}
        return {name: value or None for name, value in given.items()}

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is searched for."""
        return any(self.filters.values())

    def address(self, **further: str) -> str:
        """The list with these filters and further ones, from its own address on."""
        given = {**self.filters, **further}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else "?"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of the list. used: how many experiments measure it, or are watched by it."""

    key: str
    name: str
    measures: str
    kind: str
    direction: str
    version: int
    owner: str
    tags: tuple[str, ...]
    watched: bool
    used: int


@dataclass(frozen=True, slots=True)
class ListPage:
    """Metrics, newest first. next_href: empty on the last page."""

    wanted: Wanted
    rows: tuple[Row, ...]
    is_first: bool
    next_href: str
    types: Options = TYPES


@dataclass(frozen=True, slots=True)
class NewPage:
    """The form of a new metric."""

    filled: Filled
    choices: Mapping[str, Options] = field(default_factory=lambda: CHOICES)


@dataclass(frozen=True, slots=True)
class Version:
    """What the metric meant. changed: against the version before; empty of the first."""

    version: int
    at: datetime
    who: str
    reason: str
    changed: Difference


@dataclass(frozen=True, slots=True)
class User:
    """An experiment that uses the metric. how: its role there, or that it is watched by it."""

    key: str
    name: str
    status: str
    version: int
    how: str


@dataclass(frozen=True, slots=True)
class MetricPage:
    """One metric. act: the form that is open. conflict: whether it was changed since that was opened."""

    row: Row
    description: str
    revision: int
    in_use: bool
    created_at: datetime
    sentences: tuple[str, ...]
    versions: tuple[Version, ...]
    users: tuple[User, ...]
    is_first: bool
    next_href: str
    act: Act | None
    filled: Filled
    conflict: bool
    choices: Mapping[str, Options]


def list_page(
    metrics: Sequence[CatalogueMetricOut],
    uses: Mapping[str, int],
    wanted: Wanted,
    cursor: tuple[str | None, str | None],
) -> ListPage:
    """uses: how many experiments use each. cursor: that of this page, None on the first, and that of the next."""
    return ListPage(
        wanted,
        tuple(_row(metric, uses.get(metric.key, 0)) for metric in metrics),
        cursor[0] is None,
        wanted.address(cursor=cursor[1]) if cursor[1] else "",
    )


def metric_page(
    metric: CatalogueMetricOut,
    versions: Sequence[MetricVersionOut],
    users: tuple[Sequence[UsingExperiment], str | None, str | None],
    used: int,
    form: tuple[Act | None, Filled] = (None, Filled()),
    *,
    conflict: bool = False,
) -> MetricPage:
    """users: a page of them, its cursor, that of the next. form: the one that is open, as it was sent."""
    return MetricPage(
        row=_row(metric, used),
        description=metric.description or "",
        revision=metric.revision,
        in_use=metric.in_use,
        created_at=metric.created_at,
        sentences=sentences_of(metric),
        versions=tuple(_versions(versions)),
        users=tuple(_user(each) for each in users[0]),
        is_first=users[1] is None,
        next_href=f"?{urlencode({'cursor': users[2]})}#h-users" if users[2] else "",
        act=form[0],
        filled=form[1],
        conflict=conflict,
        choices=CHOICES,
    )


def _row(metric: CatalogueMetricOut, used: int) -> Row:
    return Row(
        key=metric.key,
        name=metric.name or "",
        measures=measured(metric),
        kind=metric.type,
        direction="less is better" if metric.direction == "decrease" else "more is better",
        version=metric.version,
        owner=metric.owner or "",
        tags=tuple(metric.tags),
        watched=metric.watched,
        used=used,
    )


def _versions(versions: Sequence[MetricVersionOut]) -> list[Version]:
    """Newest first, each against the one that follows in the list."""
    before = [*versions[1:], None]
    return [_version(each, old) for each, old in zip(versions, before, strict=True)]


def _version(version: MetricVersionOut, before: MetricVersionOut | None) -> Version:
    changed = Difference(())
    if before is not None:
        changed = difference_of(
            before.model_dump(exclude=set(_NO_MEANING)), version.model_dump(exclude=set(_NO_MEANING))
        )
    return Version(version.version, version.created_at, version.created_by, version.reason or "", changed)


def _user(each: UsingExperiment) -> User:
    watched = "watched by it" if each.is_active else "was watched by it"
    how = (each.role or "") if each.is_measured else watched
    return User(each.key, each.name or "", each.status, each.version, how)
