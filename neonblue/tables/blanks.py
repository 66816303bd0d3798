"""What the blank cells of a metric's column count as: asked for where there are any, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote

from neonblue.statistics.experiment.missing import Missing
from neonblue.tables.errors import FileError


@dataclass(frozen=True, slots=True)
class Policies:
    """The option --missing: of all metrics, and of those that are named; None where nothing was said."""

    every: Missing | None = None
    named: Mapping[str, Missing] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Sequence[str]) -> Policies:
        """Read `zero`, `exclude`, `NAME=zero` or `NAME=exclude`. Raises FileError for anything else."""
        every: Missing | None = None
        named: dict[str, Missing] = {}
        for text in given:
            name, equals, word = text.rpartition("=")
            if word not in set(Missing) or (equals and not name):
                raise FileError(f"--missing: {text!r} is not zero, exclude, NAME=zero or NAME=exclude")
            policy = Missing(word)
            if (named.get(name, policy) if equals else every or policy) is not policy:
                raise FileError(f"--missing: {name or 'every metric'} is both zero and exclude")
            if equals:
                named[name] = policy
            else:
                every = policy
        return cls(every, named)

    def of(self, metric: str) -> Missing | None:
        """What was said of the metric."""
        return self.named.get(metric, self.every)

    def check(self, metrics: Sequence[str]) -> None:
        """FileError for a name that is no metric."""
        for name in self.named:
            if name not in metrics:
                raise FileError(f"--missing: there is no metric {name!r}; there are {', '.join(metrics)}")


@dataclass(frozen=True, slots=True)
class Blanks:
    """How many of the cells that a metric is made of are blank."""

    metric: str
    blank: int
    cells: int


def require_policies(undecided: Iterable[Blanks]) -> None:
    """FileError which counts the blank cells of metrics of which nothing was said, and names the choices."""
    asked = [_question(blanks) for blanks in undecided if blanks.blank]
    if asked:
        raise FileError("\n".join(asked))


def counted_as_zero(metric: str, cells: int) -> str:
    """The sentence that tells of it."""
    return f"{_cells(cells)} of {metric} {'counts' if cells == 1 else 'count'} as 0"


def left_out(metric: str, blank: Mapping[str, int], cells: Mapping[str, int]) -> str:
    """The sentence that tells of it, with the cells of each arm."""
    return f"{metric}: {_cells(sum(blank.values()))} left out: {per_arm(blank, cells)}"


def per_arm(counts: Mapping[str, int], of: Mapping[str, int]) -> str:
    """Each arm's count in words."""
    return ", ".join(f"{arm} {count:,} of {of[arm]:,}" for arm, count in counts.items())


def _cells(count: int) -> str:
    return f"{count:,} blank cell{'s' * (count != 1)}"


def _question(blanks: Blanks) -> str:
    exclude, zero = (f"--missing {quote(f'{blanks.metric}={policy}')}" for policy in ("exclude", "zero"))
    are = "is" if blanks.blank == 1 else "are"
    return (
        f"{blanks.metric}: {blanks.blank:,} of {blanks.cells:,} cells {are} blank; say {exclude} "
        f"(analyse those who answered) or {zero} (count a blank as 0)"
    )
