"""Which units have finished their window: from the first exposure to its end, with no pause in between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from neonblue.contract.messages import ExperimentMessage

_SERVING = frozenset({"running", ""})  # "": nothing is known of what was before
_STOPPED = frozenset({"paused", "concluded", "archived"})


def interruptions(configurations: Mapping[int, ExperimentMessage]) -> list[datetime]:
    """When units ceased to be served their variant: each pause and the conclusion, ascending.

    configurations: the experiment's snapshots by version. A window that was open then never counts: what its unit met
    in the rest of it was something else.
    """
    found, status = [], ""
    for version in sorted(configurations):
        snapshot = configurations[version]
        if snapshot.status in _STOPPED and status in _SERVING:
            ended = snapshot.concluded_at if snapshot.status != "paused" else None
            found.append(datetime.fromisoformat(ended or snapshot.received_at))
        status = snapshot.status
    return found
