"""Examples for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from api.metric_catalogue.schemas import METRIC_SHOWN

_AT = "2026-03-01T09:30:00Z"

NEW: dict[str, Any] = {
    "key": "checkout-2026",
    "name": "A shorter checkout",
    "hypothesis": "Fewer fields make more people finish",
    "owner": "checkout",
    "tags": ["checkout"],
    "allocation": 2000,
    "targeting": "attributes.country == 'DE'",
    "variants": [
        {"key": "control", "is_control": True},
        {"key": "short-form", "payload": {"fields": 4}},
    ],
    "metrics": [
        {"key": "finished", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
        {"key": "revenue_14d", "role": "guardrail", "margin": "0.02"},
    ],
    "planned_days": 14,
    "planned_units": 40000,
    "scheduled_start_at": "2026-03-02T08:00:00Z",
}

DECISION: dict[str, Any] = {
    "outcome": "ship",
    "variant_key": "short-form",
    "reason": "2.1 % more people finish, revenue is unharmed",
}

RELEASE_RAMP: dict[str, Any] = {"steps": [{"share": 2500, "hold": "P1D"}, {"share": 10_000, "hold": "P1D"}]}
RELEASE: dict[str, Any] = {"variant_key": "short-form", "share": 2500, "population": "targeted"}

SHOWN: dict[str, Any] = {
    "id": 7,
    **{name: value for name, value in NEW.items() if name not in ("variants", "metrics")},
    "source": "internal",
    "unit_type": "user",
    "population": "exposed",
    "status": "scheduled",
    "salt": "0f5e2c8b7a1d4e6f9b3c2a1d0e4f5a6b",
    "layer": {"key": "checkout", "start": 0, "end": 5000},
    "holdouts": None,
    "enrolment": "open",
    "outside": "control",
    "rolled_back_from": None,
    "version": 2,
    "variants": [
        {"key": "control", "name": None, "weight": 1, "is_control": True, "active": True, "payload": None},
        {
            "key": "short-form",
            "name": None,
            "weight": 1,
            "is_control": False,
            "active": True,
            "payload": {"fields": 4},
        },
    ],
    "metrics": [METRIC_SHOWN],
    "watched": [],
    "inference": None,
    "scheduled_stop_at": None,
    "decision": None,
    "release": None,
    "ramp": None,
    "created_at": _AT,
    "started_at": None,
    "concluded_at": None,
}

VERSION: dict[str, Any] = {
    "version": 4,
    "action": "change",
    "created_at": _AT,
    "created_by": "token:1:growth",
    "reason": "Ramp to half",
    "difference": {"allocation": {"before": 2000, "after": 5000}},
}

FORCED: dict[str, Any] = {
    "unit_type": "user",
    "user_id": "tester-1",
    "variant_key": "short-form",
    "created_at": _AT,
}

CHECKED: dict[str, Any] = {
    "code": "targeting",
    "status": "ok",
    "headline": "The targeting means 310 of 2,000 units seen (15.5%)",
    "cause": None,
    "next_step": None,
    "evidence": {"units": 2000, "meant": 310, "unanswered": 12},
}
