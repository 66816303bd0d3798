"""Comparing two stores by the digests of their buckets. Pure.

A bucket holds the rows of one day whose id ends in one byte value. Its digest is their number, the
exclusive-or of a 64-bit hash of each id, and the sum of their values: a lost row, a row too many or a changed
value shows, and equal digests of different sets are as likely as a collision of the hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What the topic carries from PostgreSQL to ClickHouse. An experiment's rows are its versions."""

    EVENTS = "events"
    ASSIGNMENTS = "assignments"
    EXPERIMENTS = "experiments"
    LINKS = "links"
    ERASURES = "erasures"


LISTED_IDS = 100
"""Ids shown of each kind of difference; the counts are complete."""


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """The rows of a UTC day whose id's last byte is `byte`."""

    day: date
    byte: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Number of rows, exclusive-or of their ids' hashes, exact sum of their values."""

    count: int
    checksum: int
    total: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows count, by their time of acceptance: those up to `until`, and those later than `ahead`.

    What is accepted while the stores are read lies between. Nobody accepts later than `ahead`: that is no row on its
    way, but one with a false time.
    """

    until: datetime
    ahead: datetime

    @property
    def parameters(self) -> dict[str, datetime]:
        """Both, by their names in the queries."""
        return {"until": self.until, "ahead": self.ahead}


NOTHING = Digest(0, 0)
Digests = Mapping[Bucket, Digest]
ReadIds = Callable[[Sequence[Bucket]], set[str]]
"""The ids in some buckets."""


@dataclass(slots=True)
class Counts:
    """One day, or all of them. accepted: in PostgreSQL. present: in ClickHouse. altered: buckets of the same
    ids whose values add up to something else."""

    accepted: int = 0
    present: int = 0
    missing: int = 0
    unexpected: int = 0
    altered: int = 0

    @property
    def agree(self) -> bool:
        """Whether both stores hold the same."""
        return not (self.missing or self.unexpected or self.altered)

    def __iadd__(self, other: Counts) -> Counts:
        self.accepted += other.accepted
        self.present += other.present
        self.missing += other.missing
        self.unexpected += other.unexpected
        self.altered += other.altered
        return self


@dataclass(slots=True)
class Comparison:
    """One kind of row in both stores. `retired`: in ClickHouse alone, from days PostgreSQL does not keep whole."""

    days: dict[date, Counts] = field(default_factory=dict)
    missing_ids: list[str] = field(default_factory=list)
    unexpected_ids: list[str] = field(default_factory=list)
    retired: int = 0

    @property
    def total(self) -> Counts:
        """All days together."""
        total = Counts()
        for counts in self.days.values():
            total += counts
        return total


@dataclass(slots=True)
class Reconciliation:
    """Every kind of row, what could not be read (its number by reason), and what no model counts (by rule).

    What is set aside is present in both stores: they agree on it. resolved: messages that could not be read, of rows
    that are present all the same: they came once more, and whole.
    """

    rows: Mapping[Kind, Comparison]
    dead_letters: dict[str, int]
    set_aside: dict[str, int] = field(default_factory=dict)
    resolved: int = 0

    @property
    def equal(self) -> bool:
        """Whether no row is missing, unexpected or altered."""
        return all(comparison.total.agree for comparison in self.rows.values())

    @property
    def agree(self) -> bool:
        """Whether nothing is missing, unexpected, altered or unreadable."""
        return self.equal and not self.dead_letters


def compare(
    accepted: Digests,
    present: Digests,
    read_accepted: ReadIds,
    read_present: ReadIds,
    keeps: Callable[[date], bool] | None = None,
) -> Comparison:
    """Where the digests differ, compare the ids.

    keeps: whether the first store still keeps the whole day; absent: it keeps them all. Of others it may have what came
    late: that is missed in the second, whose own rows are no surprise.
    """
    result = Comparison()
    differing: list[Bucket] = []
    for bucket in sorted({*accepted, *present}):
        left, right = accepted.get(bucket, NOTHING), present.get(bucket, NOTHING)
        if keeps is not None and not left.count and not keeps(bucket.day):
            result.retired += right.count
            continue
        counts = result.days.setdefault(bucket.day, Counts())
        counts += Counts(left.count, right.count)
        if (left.count, left.checksum) != (right.count, right.checksum):
            differing.append(bucket)
        elif left.total != right.total:
            counts.altered += 1
    sizes = {bucket: _size(bucket, accepted, present) for bucket in differing}
    for group in grouped(differing, sizes):
        left_ids, right_ids = read_accepted(group), read_present(group)
        if keeps is not None and not keeps(group[0].day):
            retired = len(right_ids - left_ids)
            result.retired += retired
            result.days[group[0].day].present -= retired
            right_ids &= left_ids
        _compare_ids(result, group, left_ids, right_ids)
    return result


def unequal(accepted: Digests, present: Digests, *, unexpected: bool = False) -> Iterator[list[Bucket]]:
    """The buckets of the first store that differ from the second's, in groups as of `grouped`.

    unexpected: also those that the second store has alone.
    """
    buckets = {*accepted, *present} if unexpected else {*accepted}
    differing = sorted(bucket for bucket in buckets if accepted.get(bucket) != present.get(bucket))
    return grouped(differing, {bucket: _size(bucket, accepted, present) for bucket in differing})


def _size(bucket: Bucket, accepted: Digests, present: Digests) -> int:
    return max(accepted.get(bucket, NOTHING).count, present.get(bucket, NOTHING).count)


def _compare_ids(result: Comparison, group: Sequence[Bucket], accepted: set[str], present: set[str]) -> None:
    missing, unexpected = accepted - present, present - accepted
    counts = result.days[group[0].day]
    counts.missing += len(missing)
    counts.unexpected += len(unexpected)
    result.missing_ids.extend(sorted(missing)[: LISTED_IDS - len(result.missing_ids)])
    result.unexpected_ids.extend(sorted(unexpected)[: LISTED_IDS - len(result.unexpected_ids)])


def grouped(
    buckets: Iterable[Bucket], sizes: Mapping[Bucket, int], rows: int = 500_000
) -> Iterator[list[Bucket]]:
    """Buckets of one day together, as many as hold about `rows` rows: what one query fetches."""
    group: list[Bucket] = []
    held = 0
    for bucket in buckets:
        if group and (bucket.day != group[0].day or held + sizes[bucket] > rows):
            yield group
            group, held = [], 0
        group.append(bucket)
        held += sizes[bucket]
    if group:
        yield group
