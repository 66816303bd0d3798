"""Which column of a data file is the unit, the arm and the time: by the options, else by the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from neonblue.tables.errors import FileError
from neonblue.tables.table import Table

UNIT_NAMES = (
    *(
        "user_id",
        "userid",
        "unit_id",
        "unitid",
        "unit",
        "user",
        "customer_id",
        "customerid",
        "visitor_id",
        "device_id",
    ),
    *("client_id", "account_id", "player_id", "participant_id", "subject_id", "member_id", "uid", "id"),
)
VARIANT_NAMES = (
    *("variant", "variant_key", "group", "test_group", "version", "test_version", "arm", "segment"),
    *("experiment_group", "ab_group", "condition"),
)
CERTAIN_VARIANT_NAMES = frozenset(
    {"variant", "variant_key", "test_group", "test_version", "arm", "experiment_group", "ab_group"}
)
"""Those that a column beside it doesn't put in doubt."""

MAYBE_VARIANT_NAMES = frozenset(
    {"treatment", "treated", "treat", "bucket", "cell", "test_cell", "branch", "variation", "experiment"}
    | {
        "exp_group",
        "experiment_arm",
        "test",
        "test_variant",
        "ab",
        "ab_test",
        "ab_variant",
        "assignment",
        "cohort",
    }
)
"""Not taken for the arms unasked, but they put others in doubt."""

TIME_NAMES = ("timestamp", "time", "assigned_at", "exposed_at", "datetime", "date", "created_at")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller said of the columns; None and empty: find out.

    start: the time of all rows, where no column of times is to be read. ignore: columns to pass over.
    skip_bad_rows: leave out rows that break a rule in place of refusing the file. metrics: as the caller wrote them: a
    column that one of them names is a metric, whatever its name means elsewhere. asked: names of columns that are
    metrics beside those that are found, such as that of --lower. fewest_arms: one where rows are added to an experiment
    that has its arms.
    """

    unit: str | None = None
    variant: str | None = None
    control: str | None = None
    time: str | None = None
    start: datetime | None = None
    ignore: tuple[str, ...] = ()
    skip_bad_rows: bool = False
    metrics: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    fewest_arms: int = 2


@dataclass(frozen=True, slots=True)
class Roles:
    """Places of the columns. unit None: the row's number; time None: none is read. ignored: passed over as asked.

    asked: columns that are metrics whatever their name means.
    """

    unit: int | None
    variant: int
    time: int | None
    ignored: frozenset[int] = frozenset()
    asked: frozenset[int] = frozenset()

    @property
    def taken(self) -> frozenset[int]:
        """The columns that are no metrics."""
        return self.ignored | {place for place in (self.unit, self.variant, self.time) if place is not None}


def roles_of(table: Table, options: Options) -> Roles:
    """The roles. Raises FileError which names the option and the columns there are."""
    ignored = frozenset(table.index(name, "--ignore") for name in options.ignore)
    metrics = {part.casefold() for text in options.metrics for part in (text, *re.split("[=/~:]", text))}
    names = {place: normal(name) for place, name in enumerate(table.columns) if place not in ignored}
    every = names
    names = {place: name for place, name in names.items() if table.columns[place].casefold() not in metrics}
    variant = _variant(table, options.variant, names if set(names.values()) & set(VARIANT_NAMES) else every)
    unit = _given_or_known(table, options.unit, "--unit", UNIT_NAMES, names)
    # A column of times is no metric, whether or not its times are needed.
    time = _given_or_known(table, options.time, "--time", TIME_NAMES, names)
    asked = frozenset(place for place, name in enumerate(table.columns) if name in options.asked)
    roles = Roles(unit, variant, time, ignored, asked)
    places = [place for place in (unit, variant, time) if place is not None]
    if len(set(places)) < len(places):
        raise FileError(f"--unit, --variant, --time: {table.columns[places[0]]!r} can be only one of them")
    if time is not None and time not in ignored and options.time is None and options.start is not None:
        return replace(roles, time=None, ignored=ignored | {time})
    return roles


def _variant(table: Table, given: str | None, names: dict[int, str]) -> int:
    """The column of the arms. Raises FileError where none, or more than one, may be it."""
    if given is not None:
        return table.index(given, "--variant")
    found = [place for place, name in names.items() if name in VARIANT_NAMES]
    others = [place for place, name in names.items() if name in MAYBE_VARIANT_NAMES]
    if len(found) == 1 and (names[found[0]] in CERTAIN_VARIANT_NAMES or not others):
        return found[0]
    certain = [place for place in found if names[place] in CERTAIN_VARIANT_NAMES]
    if len(certain) == 1:
        return certain[0]
    may_be = [table.columns[place] for place in sorted((certain or found) + ([] if certain else others))]
    if len(may_be) > 1:
        raise FileError(f"--variant: say which column holds the arms: {' and '.join(may_be)} may be it")
    raise FileError(f"--variant: name the column of the arms; the columns are {table.names}")


def normal(name: str) -> str:
    """A column's name in small letters, words joined by `_`."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _given_or_known(
    table: Table, given: str | None, option: str, known: Sequence[str], names: dict[int, str]
) -> int | None:
    if given is not None:
        return table.index(given, option)
    places = {name: place for place, name in reversed(names.items())}
    return next((places[name] for name in known if name in places), None)
