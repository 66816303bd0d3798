"""When Python's garbage collector looks where: a full look stops every request under way."""

from __future__ import annotations

import gc

_THRESHOLDS = (10_000, 20, 100)
"""New objects, young collections, middle collections until the next generation is looked at."""


def settle_collector() -> None:
    """Leave what the start has made out of every further collection, and make full ones rare.

    A full collection visits every object of the process, its modules and its caches, and nothing is answered
    meanwhile. What requests leave behind in cycles is found by the young collections.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
