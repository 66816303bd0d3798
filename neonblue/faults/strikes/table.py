"""Which strike does which kind, and where one can't be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neonblue.faults.kinds import Kind
from neonblue.faults.plan import Fault
from neonblue.faults.strikes import builds, network, processes, requests, storage, stream
from neonblue.faults.strikes.context import Context, Healed

STRIKES: Mapping[Kind, Callable[[Context, Fault], Healed]] = {
    Kind.KILL: processes.kill,
    Kind.STOP: processes.stop,
    Kind.KILL_ALL: processes.kill_all,
    Kind.KILL_START: processes.kill_start,
    Kind.RESTART: processes.restart,
    Kind.NETWORK_RESET: network.reset,
    Kind.NETWORK_DELAY: network.delay,
    Kind.ANSWERS_LOST: network.answers_lost,
    Kind.DATABASE_RESET: network.database_reset,
    Kind.REPEATS: requests.repeats,
    Kind.POISON_REQUESTS: requests.poison_requests,
    Kind.POISON_MESSAGES: requests.poison_messages,
    Kind.VIEW_FAILS: storage.view_fails,
    Kind.DISK_FULL: storage.disk_full,
    Kind.SLOT_DROPPED: stream.slot_dropped,
    Kind.CONNECTOR_DELETED: stream.connector_deleted,
    Kind.CONNECTOR_PAUSED: stream.connector_paused,
    Kind.OFFSETS_LOST: stream.offsets_lost,
    Kind.TOPIC_DELETED: stream.topic_deleted,
    Kind.TOPIC_EMPTIED: stream.topic_emptied,
    Kind.GROUP_FORWARD: stream.group_forward,
    Kind.GROUP_BACK: stream.group_back,
    Kind.CLOCK_STEPS: storage.clock_steps,
    Kind.BUILD_KILLED: builds.build_killed,
}


def impossible() -> dict[Kind, str]:
    """The kinds that this machine can't do, with the reason."""
    reasons = {}
    if not storage.can_mount():
        reasons[Kind.DISK_FULL] = "only root can mount a disk to fill, and may not here"
    if storage.faketime() is None:
        reasons[Kind.CLOCK_STEPS] = "libfaketime is not installed"
    return reasons
