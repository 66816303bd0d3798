"""`python -m neonblue.simulation.lives`: play lives of every family, and write what came of them.

With `--seed` one life of one family: what was said of it, day by day.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from neonblue.simulation.lives.families import BY_KEY, Family
from neonblue.simulation.lives.playing import Outcome, play
from neonblue.simulation.lives.table import keep, markdown, read, write
from neonblue.simulation.lives.tally import Tally, tally

LIVES = 2000


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a family fails."""
    options = _options(arguments)
    families = [BY_KEY[key] for key in options.families]
    if options.seed is not None:
        for family in families:
            _tell(family, options.seed)
        return 0
    tallies = []
    with ProcessPoolExecutor(options.processes) as pool:
        for family in families:
            chunk = max(options.lives // (8 * options.processes), 1)
            outcomes = list(
                pool.map(_life, [(family.key, seed) for seed in range(options.lives)], chunksize=chunk)
            )
            tallies.append(tally(family.key, outcomes))
            print(_line(family, tallies[-1]), flush=True)
            if options.keep is not None:
                keep(options.keep, tallies[-1:])
    print(markdown(tallies))
    if options.keep is not None and options.page is not None:
        write(markdown(read(options.keep)), options.page)
    return 1 if any(one.failures(BY_KEY[one.family].power) for one in tallies) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m neonblue.simulation.lives", description=__doc__)
    parser.add_argument("--lives", type=int, default=LIVES, help="of each family")
    parser.add_argument("--families", nargs="+", choices=list(BY_KEY), default=list(BY_KEY), metavar="FAMILY")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, help="tell one life instead")
    parser.add_argument("--keep", type=Path, help="the file of results; other families' stay in it")
    parser.add_argument("--page", type=Path, help="the page whose table is written anew from that file")
    return parser.parse_args(arguments)


def _life(one: tuple[str, int]) -> Outcome:
    key, seed = one
    return play(key, BY_KEY[key].draw, seed)


def _line(family: Family, one: Tally) -> str:
    failures = ", ".join(one.failures(family.power)) or "holds"
    shown = "; ".join(f"{name} in seed {seed}" for name, seed in one.shows.items())
    return f"{family.key}: {failures}. {one.lives} lives. {shown}"


def _tell(family: Family, seed: int) -> None:
    outcome = play(family.key, family.draw, seed)
    print(f"{family.key} {seed}")
    print(outcome.said or "nothing was decided")
    for name in ("wrong_ship", "wrong_harm", "found", "missed", "level", "invalid", "broken"):
        print(f"{name}: {getattr(outcome, name)}")


if __name__ == "__main__":
    sys.exit(main())
