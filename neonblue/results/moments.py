"""The moments of experiments as they stand at one moment: whose window has ended by then, and whose was cut short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from neonblue.analysis.windows import interruptions
from neonblue.contract.messages import ExperimentMessage

# Few rows, however many hours there are: a look is taken per closed day, so windows that ended on one are a row at its
# end; those that ended today stand each by its hour; those that have not are one row per day of exposure. Cut short is
# a row where an interruption lies between the first unit that may have entered and the end of the last one's window.
MOMENTS = """
WITH
    if(
        finishes_at <= toStartOfDay({now:DateTime64(6, 'UTC')}),
        toStartOfDay(finishes_at - INTERVAL 1 SECOND) + INTERVAL 1 DAY,
        finishes_at
    ) AS until,
    arrayExists(
        cut -> cut.1 = experiment_id AND cut.2 > entered_from AND cut.2 < finishes_at,
        {interruptions:Array(Tuple(UInt32, DateTime64(6, 'UTC')))}
    ) AS cut_short
SELECT
    experiment_id, metric_key, metric_version, variant_key, version, exposure_date,
    max(until), cut_short, sum(n), sum(missing), sum(sum_value), sum(sum_squares),
    sum(sum_denominator), sum(sum_denominator_squares), sum(sum_value_denominator),
    sum(sum_covariate), sum(sum_covariate_squares), sum(sum_value_covariate), sum(just_before)
FROM {relation:Identifier}
WHERE experiment_id IN {experiments:Array(UInt32)} AND entered_from < {now:DateTime64(6, 'UTC')}
GROUP BY
    experiment_id, metric_key, metric_version, variant_key, version, exposure_date, cut_short,
    if(until > {now:DateTime64(6, 'UTC')}, NULL, until)
ORDER BY ALL
"""
Versions = Mapping[int, ExperimentMessage]
"""One experiment's snapshots by version."""


def window_parameters(experiments: Sequence[Versions], now: datetime) -> dict[str, Any]:
    """What the statements that judge windows are given: the moment they speak of, and every interruption."""
    return {
        "now": now.astimezone(UTC),
        "interruptions": [
            (versions[max(versions)].experiment_id, at.astimezone(UTC))
            for versions in experiments
            for at in interruptions(versions)
        ],
    }
