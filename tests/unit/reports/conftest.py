"""A report with every part in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from neonblue.reports import (
    ArmExposure,
    ArmRevenue,
    Effect,
    ExperimentReport,
    FunnelStep,
    HealthRow,
    Outcome,
    Provenance,
    RetentionPoint,
    Said,
    SegmentEffect,
    Sequence,
    SequencePoint,
)
from neonblue.reports.drawing import Drawing, Width
from neonblue.reports.model import ArmShare, Scale
from neonblue.statistics import Role, Verdict

ARMS = ("control", "blue", "green")
FIRST = date(2026, 1, 28)


_DRAWN: dict[tuple[object, ...], tuple[Drawing, str]] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing of the same figures is the one that was made of them before, for tests of what stands around it."""
    drawn = Drawing.svg

    def svg(drawing: Drawing, width: Width) -> str:
        of = tuple(repr(cell.cell_contents) for cell in drawing.paint.__closure__ or ())
        key = (drawing.paint.__code__, of, drawing.name, drawing.title, drawing.alternative, width)
        if key not in _DRAWN:
            _DRAWN[key] = (
                drawing,
                drawn(drawing, width),
            )  # the drawing too, so that no other takes its address
        return _DRAWN[key][1]

    monkeypatch.setattr(Drawing, "svg", svg)


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    at = datetime(2026, 2, 18, 9, tzinfo=UTC)
    return Provenance("the warehouse", at, "0.1.0", at - timedelta(minutes=1), 3)


@pytest.fixture(scope="session")
def whole(provenance: Provenance) -> ExperimentReport:
    points = tuple(
        SequencePoint(
            FIRST + timedelta(days=i), 1000 * (i + 1), 0.012, 0.012 - 0.1 / (i + 1), 0.012 + 0.1 / (i + 1)
        )
        for i in range(10)
    )
    return ExperimentReport(
        key="checkout-button",
        title="Checkout <button> & colour",
        hypothesis="A calmer button leads to more purchases.",
        said=Said(Outcome.KEEP_RUNNING, "Keep running about 6 more days: conversion -1.2 % so far."),
        arms=ARMS,
        effects=(
            Effect("conversion", "blue", Role.PRIMARY, Scale.SHARE, Verdict.UNDECIDED, 14000, 14100, 0.102, 0.113,
                   0.011, -0.0005, 0.0225, 0.975, 0.108, -0.004, 0.22, 0.031, 0.062),
            Effect("conversion", "green", Role.PRIMARY, Scale.SHARE, Verdict.BETTER, 14000, 14210, 0.102, 0.118,
                   0.016, 0.005, 0.027, 0.975, 0.157, 0.05, 0.27, 0.001, 0.002),
            Effect("revenue", "green", Role.SECONDARY, Scale.NUMBER, Verdict.UNKNOWN, 14000, 1,
                   note="Arm green has 1 unit: two are needed."),
            Effect("latency", "blue", Role.GUARDRAIL, Scale.NUMBER, Verdict.WORSE, 14000, 14100, 812, 850, 38, 10,
                   66, 0.95, 0.047, 0.012, None, 0.003, 0.003),
        ),
        health=(
            HealthRow("sample ratio (version 1)", False, "Units do not fit the allocation."),
            HealthRow("covariate balance", False, "It differs.", blocking=False),
            HealthRow("multiply exposed", True, "3 of 42310 units."),
        ),
        methods=("A confidence sequence.",),
        provenance=provenance,
        shares=tuple(ArmShare(arm, 14000, 14103.3) for arm in ARMS),
        sequences=(Sequence("conversion", "blue", Scale.SHARE, 0.975, points),),
        exposures=tuple(ArmExposure(FIRST + timedelta(days=i), arm, 600 + i) for i in range(10) for arm in ARMS),
        funnel=tuple(
            FunnelStep(step, name, arm, 1000 // (step + 1))
            for step, name in enumerate(("exposed", "add to cart", "purchase"))
            for arm in ARMS
        ),
        retention=tuple(RetentionPoint(day, arm, 1000, 500 // day) for day in range(1, 8) for arm in ARMS),
        revenue=(
            ArmRevenue("revenue", "control", 14000, 172760.0),
            ArmRevenue("revenue", "blue", 14100, 170751.0, -3243.0, -16900.0, 10400.0),
        ),
        segments=tuple(
            SegmentEffect("platform", name, "conversion", "blue", 4000, 0.1, -0.1, 0.3, 0.9875, 0.4)
            for name in ("ios", "web")
        ),
    )  # fmt: skip
