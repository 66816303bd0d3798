"""How many units a life needs to find its effect."""

from __future__ import annotations

import math
from dataclasses import replace

from neonblue.statistics import Design, SampleSize
from neonblue.statistics.planning.means import mean_sample_size
from neonblue.statistics.planning.sequential import equal_looks, group_sequential_inflation


def units_for(effect: float, sds: tuple[float, float], arms: int, days: int, comparisons: int) -> int:
    """Units of all arms for a power of 80 % in one of the arms at equal shares, looked at daily.

    sds: of control's units and of the arm's, in the metric's unit; comparisons: that share the error.
    """
    design = Design(comparisons=comparisons)
    factor = group_sequential_inflation(design, equal_looks(days))
    if not isinstance(factor, float):
        raise ValueError(factor.message)
    size = mean_sample_size(sds[0], effect, replace(design, inflation=max(factor, 1.0)), sds[1])
    if not isinstance(size, SampleSize):
        raise ValueError(size.message)
    return arms * math.ceil(size.control)
