"""Which columns are metrics where none is named, and which of those decide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote

from neonblue.tables.errors import FileError
from neonblue.tables.numbers import Word
from neonblue.tables.roles import Roles, normal
from neonblue.tables.survey import ColumnSurvey, Survey

_ID = frozenset(
    {"id", "ids", "uuid", "guid", "key", "index", "idx", "nr", "no", "number", "code", "unnamed", "hash"}
)
_OUTCOME = re.compile(
    r"conver|click|purchas|bought|buy|order|revenue|spend|spent|sale|retention|retained|sign_?up|subscri|rating|"
    r"visit|paid|pay(ment|ing)?s?$|checkout|complet|success|outcome|engag|install|registr|activat"
)
_ATTRIBUTE = frozenset(
    {
        "zip",
        "zipcode",
        "postcode",
        "postal",
        "plz",
        "postleitzahl",
        "phone",
        "tel",
        "age",
        "birth",
        "birthday",
        "dob",
    }
    | {
        "year",
        "month",
        "week",
        "weekday",
        "day",
        "hour",
        "lat",
        "lon",
        "lng",
        "latitude",
        "longitude",
        "ip",
        "sku",
    }
    | {
        "gender",
        "sex",
        "male",
        "female",
        "height",
        "weight",
        "date",
        "time",
        "timestamp",
        "version",
        "cohort",
    }
)
_BEFORE = frozenset(
    {
        "previous",
        "prev",
        "prior",
        "pre",
        "before",
        "baseline",
        "last",
        "past",
        "historic",
        "historical",
        "history",
    }
    | {"existing", "initial"}
)
"""Of what was there before the experiment, whatever is measured."""

_MOMENT = frozenset(
    {"date", "datetime", "timestamp", "ts", "age", "birth", "birthday", "dob", "weekday", "at"}
    | {"zip", "zipcode", "postcode", "postal", "version", "cohort", "gender", "sex", "segment"}
)
"""Words that make an attribute of any name: order_date, age_at_signup."""

_PERIOD = frozenset({"year", "month", "week", "day", "hour", "quarter"})
"""Words that make one at the end of a name: signup_month, but not revenue_month_1 or orders_per_day."""

_LESS = re.compile(
    r"churn|bounc|unsubscri|refund|cancel|complain|chargeback|charge_back|abandon|crash|latenc|uninstall|time_?out|"
    r"drop_?(out|off|ped)|opt(ed)?_?out|sign(ed)?_?out|un(follow|install|like|regist)|deactivat|inactiv|non_?conver|"
    r"(time|days|hours|minutes|mins|seconds|secs|ms|steps|clicks|attempts)_(to|since|until|till)_|since_|"
    r"(load|response|loading|waiting|wait|page|resolution|handling|processing)_?time|downtime|"
    r"(^|_)(no|not|non|without|fail|fails|failed|failure|failures|error|errors|err|bug|bugs|defect|defects|return|"
    r"returns|returned|cost|costs|loss|losses|lost|delay|delays|delayed|late|wait|spam|fraud|dislikes?|rejected|"
    r"declined?|default|defaulted|reject|rejections?|incidents?|escalations?|retries|rage|exit|exits|exited|left|"
    r"dismissed|dismissals?|skipped|expired|disputes?|report_?ed|reported|bad|negative|death|died|mortality)(_|$)"
)
"""Names of what is better when lower, or may be."""

_FEWEST_IDS = 20
"""Whole numbers that are all different are ids from so many rows on."""


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Kind(StrEnum):
    """How a column becomes a metric of its unit."""

    PROPORTION = "proportion"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A column that is analysed. decides: whether it is a primary metric, unless something else is said."""

    index: int
    name: str
    kind: Kind
    decides: bool


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A column that is not read, and why."""

    index: int
    name: str
    why: str


def outcomes_of(survey: Survey, roles: Roles) -> tuple[Outcome, ...]:
    """The metrics of a file of which none was named.

    Those that decide: outcomes by their name; without any such name the only one, else the shares. With neither none
    decides: which of several sums is the aim can't be told from a file.
    """
    found = [column for column in survey.columns if _why_not(survey, column, roles) is None]
    named = {c.index for c in found if c.index in roles.asked or _OUTCOME.search(normal(c.name))}
    shares = {column.index for column in found if column.is_truth}
    only = len(found) == 1 and not less_is_better(survey, roles)
    deciding = named or ({found[0].index} if only else shares)
    return tuple(Outcome(c.index, c.name, kind_of(c), c.index in deciding) for c in found)


def less_is_better(survey: Survey, roles: Roles) -> tuple[str, ...]:
    """The columns that are passed over because by their name less of them is better."""
    return tuple(c.name for c in survey.columns if (_why_not(survey, c, roles) or "").startswith(_LESS_WHY))


_LESS_WHY = "less may be better by its name"


def require_metrics(option: str, given: Sequence[str], names: Sequence[str]) -> None:
    """FileError where an option names a metric twice, or one that is none of `names`."""
    for name in given:
        if given.count(name) > 1:
            raise FileError(f"{option}: {name!r} is given twice")
        if name not in names:
            raise FileError(f"{option}: there is no metric {name!r}; there are {', '.join(names)}")


def kind_of(column: ColumnSurvey) -> Kind:
    """A share of units where every number is 0 or 1, else a mean."""
    return Kind.PROPORTION if column.is_truth else Kind.MEAN


def passed_over(survey: Survey, roles: Roles, used: Iterable[int]) -> tuple[PassedOver, ...]:
    """The columns that are neither roles nor metrics, with the reason."""
    rest = [
        column
        for column in survey.columns
        if column.index not in {roles.unit, roles.variant, roles.time, *used}
    ]
    return tuple(
        PassedOver(
            column.index,
            column.name or f"column {column.index + 1}",
            _why_not(survey, column, roles) or "not named",
        )
        for column in rest
    )


def _why_not(survey: Survey, column: ColumnSurvey, roles: Roles) -> str | None:
    """Why a column is no metric, None where it is one."""
    if column.index in roles.ignored:
        return "as asked"
    if column.index in roles.taken:
        return "has another role"
    if not column.name:
        return "it has no name"
    if column.index in roles.asked:
        return None if column.usable else f"no numbers ({column.example})"
    words = normal(_CAMEL.sub("_", column.name)).split("_")
    if not column.usable:
        return f"no numbers ({column.example})"
    if words[-1] in _ID or words[0] in ("unnamed", "index"):
        return "an id by its name"
    if _MOMENT.intersection(words) or (words[-1] in _PERIOD and "per" not in words):
        return "an attribute of the unit by its name"
    if _BEFORE.intersection(words):
        return "from before the experiment by its name"
    outcome = _OUTCOME.search(normal(column.name)) is not None
    if not column.is_numeric and not outcome:
        return f"mostly words ({column.example})"
    if _LESS.search("_".join(words)):
        return f"{_LESS_WHY}: say --lower {quote(column.name)}, or --metric {quote(column.name)} if more is"
    if not outcome and _ATTRIBUTE.intersection(words):
        return "an attribute of the unit by its name"
    if not outcome and _is_id(survey, column):
        return "whole numbers that look like ids"
    return None


def _is_id(survey: Survey, column: ColumnSurvey) -> bool:
    numbers = [shape for shape in column.shapes if shape.word is Word.NUMBER]
    if any(shape.padded for shape in numbers):
        return True
    whole = len(numbers) == len(column.shapes) and all(shape.whole for shape in numbers)
    return whole and column.different and survey.rows >= _FEWEST_IDS
