"""The tallies as a table, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from neonblue.simulation.lives.families import BY_KEY, FAMILIES, Family
from neonblue.simulation.lives.tally import Rate, Tally

BEGIN, END = "<!-- lives: begin -->", "<!-- lives: end -->"
COLUMNS = ("family", "lives", "false ship", "false harm", "covered (level)", "found", "invalid", "holds")
_TALLIES = TypeAdapter(Tally)


def markdown(tallies: Iterable[Tally]) -> str:
    """One row for each family, in the families' order."""
    found = {tally.family: tally for tally in tallies}
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [_row(family, found[family.key]) for family in FAMILIES if family.key in found]
    return "\n".join(lines)


def _row(family: Family, tally: Tally) -> str:
    rates = tally.rates(family.power)
    covered = 1 - tally.missed / tally.intervals if tally.intervals else None
    found = rates.get("found")
    failures = tally.failures(family.power)
    cells = (
        f"`{family.key}`: {family.title}",
        f"{tally.lives:,}",
        _percent(rates["false ship"]),
        _percent(rates["false harm"]),
        "-" if covered is None else f"{covered:.1%} ({tally.level:.1%})",
        "-" if found is None else _percent(found),
        _percent(rates["called invalid"]),
        f"**no**: {', '.join(failures)}" if failures else "yes",
    )
    return f"| {' | '.join(cells)} |"


def _percent(rate: Rate) -> str:
    return "-" if rate.value is None else f"{rate.value:.1%}"


def keep(path: Path, tallies: Iterable[Tally]) -> None:
    """Write them beside those of other families that the file holds, a line of JSON each."""
    found = {tally.family: tally for tally in [*read(path), *tallies]}
    lines = [_TALLIES.dump_json(found[family]).decode() for family in BY_KEY if family in found]
    path.write_text("\n".join(lines) + "\n")


def read(path: Path) -> list[Tally]:
    """The tallies of a file; none where there is no file. Raises pydantic's ValidationError for another file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [_TALLIES.validate_json(line) for line in lines]


def write(table: str, page: Path) -> None:
    """Put the table between its markers. Raises ValueError where the page has none."""
    text = page.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page.name}: the markers {BEGIN} and {END} are missing")
    before, rest = text.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}")
