"""`python -m tests.calibration`: measure, print the table, and write it into docs/statistics.md.

With `--strata` the table of comparisons over versions of different shares instead, with `--lopsided` those of lopsided
arms, with `--ramps` that of whole ramps.
"""

from __future__ import annotations

import argparse
import sys

from tests.calibration import lopsided, lopsided_looks, ramps, strata
from tests.calibration.measurements import measure
from tests.calibration.table import (
    LOPSIDED_BEGIN,
    LOPSIDED_END,
    RAMPS_BEGIN,
    RAMPS_END,
    STRATA_BEGIN,
    STRATA_END,
    markdown,
    write,
)

_SHORT = 0.02


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a row does not hold. Only the full run is written into the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a fiftieth of the simulations, and nothing is written"
    )
    parser.add_argument(
        "--strata",
        action="store_true",
        help="size, power and width over versions of different shares instead",
    )
    parser.add_argument(
        "--lopsided", action="store_true", help="size, coverage and power of lopsided arms instead"
    )
    parser.add_argument(
        "--ramps", action="store_true", help="harmless and harmful ramps, by how many are stopped, instead"
    )
    options = parser.parse_args(arguments)
    scale = _SHORT if options.short else 1.0
    if options.strata:
        table = strata.markdown(list(strata.measure(scale)), list(strata.coverage(scale)))
        print(table)
        if not options.short:
            write(table, begin=STRATA_BEGIN, end=STRATA_END)
        return 0
    if options.lopsided:
        table = _lopsided(scale)
        print(table)
        if not options.short:
            write(table, begin=LOPSIDED_BEGIN, end=LOPSIDED_END)
        return 0
    if options.ramps:
        played = list(ramps.measure(scale))
        print(ramps.markdown(played))
        if not options.short:
            write(ramps.markdown(played), begin=RAMPS_BEGIN, end=RAMPS_END)
        return 0 if all(row.holds for row in played) else 1
    rows = list(measure(scale))
    print(markdown(rows))
    if not options.short:
        write(markdown(rows))
    return 0 if all(row.holds for row in rows) else 1


def _lopsided(scale: float) -> str:
    looks = lopsided_looks
    one_look = lopsided.markdown(list(lopsided.measure(scale)), list(lopsided.rivals(scale)))
    watched = looks.markdown(
        list(looks.watched(scale)),
        list(looks.planned(scale)),
        list(looks.margins(scale)),
        list(looks.power_by_units(scale)),
    )
    return f"{one_look}\n\n{watched}"


if __name__ == "__main__":
    sys.exit(main())
