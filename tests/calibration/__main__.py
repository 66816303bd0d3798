"""`python -m tests.calibration`: measure, print the table, and write it into docs/statistics.md."""

from __future__ import annotations

import argparse
import sys

from tests.calibration.measurements import measure
from tests.calibration.table import markdown, write

_SHORT = 0.02


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a row does not hold. Only the full run is written into the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a fiftieth of the simulations, and nothing is written"
    )
    short = parser.parse_args(arguments).short
    rows = list(measure(_SHORT if short else 1.0))
    print(markdown(rows))
    if not short:
        write(rows)
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
