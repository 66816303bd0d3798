"""Outbox rows made anew from what PostgreSQL keeps: the remedy for whatever was lost behind the outbox.

They stream as the first ones did, and change nothing where their rows are present.
"""

from neonblue.republication.pace import StreamStandsStill
from neonblue.republication.repair import Repaired, RepairUnderWay, repair
from neonblue.republication.republish import Plan, Progress, Republished, plan, republish

__all__ = [
    "Plan",
    "Progress",
    "RepairUnderWay",
    "Repaired",
    "Republished",
    "StreamStandsStill",
    "plan",
    "repair",
    "republish",
]
