"""Cases of adjusted p-values."""

from __future__ import annotations

from typing import Any

from neonblue.statistics.methods.multiplicity import Procedure, judge
from tests.unit.statistics.reference import Case

_PROCEDURES = {
    "bonferroni": Procedure.BONFERRONI,
    "holm": Procedure.HOLM,
    "hochberg": Procedure.HOCHBERG,
    "hommel": Procedure.HOMMEL,
    "BH": Procedure.BENJAMINI_HOCHBERG,
    "BY": Procedure.BENJAMINI_YEKUTIELI,
}


def compute(case: Case) -> dict[str, Any]:
    alpha = case.options.get("alpha", 0.05)
    result = {}
    for name, procedure in _PROCEDURES.items():
        family = judge(case.inputs.get("p_values", []), procedure, alpha)
        verdict = f"reject_at_{alpha}".replace(".", "_")
        result[name] = {
            "adjusted": list(family.adjusted),
            verdict: _verdicts(case, name, verdict, family.rejected),
        }
    return result


def _verdicts(case: Case, name: str, field: str, rejected: tuple[bool, ...]) -> list[bool | None]:
    """A missing p-value has no verdict; null and "not rejected" both say so."""
    expected = case.expected.get(name, {}).get(field, rejected)
    p_values = case.inputs.get("p_values", [])
    return [
        None if p is None and written is None else verdict
        for p, written, verdict in zip(p_values, expected, rejected, strict=True)
    ]
