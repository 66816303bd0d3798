"""Cases of the sequential sample-ratio e-value."""

from __future__ import annotations

from typing import Any

from neonblue.statistics.sequential.sample_ratio import sequential_sample_ratio
from neonblue.statistics.status import Status
from tests.unit.statistics.reference import Case, _fields


def compute(case: Case) -> dict[str, Any]:
    options = case.options
    path = sequential_sample_ratio(
        case.inputs["theta0"], case.inputs["batches"], concentration=options.get("k", 100)
    )
    if isinstance(path, Status):
        return _fields.error(path)
    alpha = options.get("alpha", 0.001)
    rows = [
        {
            "cumulative": list(row.counts),
            "log_e_value": row.log_e,
            "always_valid_p": row.p_value,
            "p_instant": row.p_instant,
        }
        for row in path
    ]
    alarm = any(row.p_value <= alpha for row in path)
    return {"path": rows, "alarm": alarm, f"alarm_at_alpha_{alpha:g}".replace(".", "_"): alarm}
