"""The statistics engine: sufficient statistics in, estimates, health and decisions out. Pure functions."""

from neonblue.statistics.moments import CentredProducts, CovariateMoments, Moments, RatioMoments
from neonblue.statistics.result import Alternative, Estimate, Interval, Lift, Method
from neonblue.statistics.status import Status, StatusCode

__all__ = [
    "Alternative",
    "CentredProducts",
    "CovariateMoments",
    "Estimate",
    "Interval",
    "Lift",
    "Method",
    "Moments",
    "RatioMoments",
    "Status",
    "StatusCode",
]
