"""A reconciliation as JSON."""

from __future__ import annotations

from typing import Any

from neonblue.reconciliation.compare import Comparison, Counts, Reconciliation


def as_json(result: Reconciliation) -> dict[str, Any]:
    """Everything the table shows, and the listed ids, for programs."""
    return {
        "agree": result.agree,
        **{kind.value: _comparison(comparison) for kind, comparison in result.rows.items()},
        "dead_letters": {
            "count": sum(result.dead_letters.values()),
            "reasons": result.dead_letters,
            "resolved": result.resolved,
        },
        "set_aside": {
            "count": sum(result.set_aside.values()),
            "rules": result.set_aside,
        },
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        **_counts(comparison.total),
        "retired": comparison.retired,
        "days": [
            {"day": day.isoformat(), **_counts(counts)} for day, counts in sorted(comparison.days.items())
        ],
        "missing_ids": comparison.missing_ids,
        "unexpected_ids": comparison.unexpected_ids,
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "accepted": counts.accepted,
        "present": counts.present,
        "missing": counts.missing,
        "unexpected": counts.unexpected,
        "altered": counts.altered,
    }
