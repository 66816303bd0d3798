"""Whether the standbys are there that PostgreSQL waits for: the keeper tells, and can't start one."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from neonblue import standbys
from neonblue.settings import Role, Settings
from neonblue.stack.errors import StackError
from neonblue.stack.supervisor.names import STANDBY
from neonblue.stack.supervisor.nodes import Step
from neonblue.stack.supervisor.troubles import LOW
from neonblue.standbys import Standbys
from neonblue.texts import instant

_CONNECT_SECONDS = 3


class Standby(Step):
    """Ready while each standby that is named has all there is, and where none is named.

    Without the standby nothing that others wait for can be done, so it waits for nothing: a server that does not answer
    is told by its own step.
    """

    name = STANDBY
    watch_seconds = 5.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._since: dict[str, datetime] = {}
        self._note = ""

    def run(self) -> None:
        """The first look follows at once."""

    def check(self) -> None:
        self._note = ""
        try:
            with self._connect() as connection:
                seen = standbys.look(connection)
        except psycopg.OperationalError:
            self._note = "not known: PostgreSQL does not answer"
            return
        if seen is None:
            self._note = "not known: the user of the settings may not see it (pg_read_all_stats)"
            return
        now = datetime.now(UTC)
        self._since = {name: self._since.get(name, now) for name in seen.missing}
        if seen.commits_wait:
            raise StackError(sentence(seen, self._since))
        self._note = note(seen, self._since)

    def note(self) -> str:
        return self._note

    def _connect(self) -> standbys.Connection:
        postgres = self._settings.postgres.acting(Role.MONITORING)
        return psycopg.connect(
            postgres.dsn(),
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
            application_name="neonblue-stack",
        )


def sentence(seen: Standbys, first_seen: dict[str, datetime]) -> str:
    """Who is missing, since when, and what that means for people, while commits wait."""
    stream = ". The stream stands still as well" if seen.stream_waits else ""
    waits = "Every commit waits for it: no event and no new assignment is acknowledged"
    return f"{_missing(seen, first_seen)}. {waits}{stream}"


def note(seen: Standbys, first_seen: dict[str, datetime]) -> str:
    """What is not as it should be although commits go on; '' where all is."""
    parts = []
    if seen.missing:
        parts.append(f"{_missing(seen, first_seen)}; others are there, so commits go on")
    if seen.stream_waits:
        names = ", ".join(seen.stream_waits)
        parts.append(
            f"the stream stands still: PostgreSQL tells it of nothing that the standby has not, by its slot {names}"
        )
    alone = [slot.name for slot in seen.slots.values() if slot.logical and not slot.failover]
    if seen.stream_waits_for and alone:
        parts.append(
            f"the standby keeps no copy of the slot {', '.join(sorted(alone))}: a takeover would be without it"
        )
    return f"{LOW} {'; '.join(parts)}" if parts else ""


def _missing(seen: Standbys, first_seen: dict[str, datetime]) -> str:
    return ", ".join(_one(name, seen, first_seen) for name in seen.missing)


def _one(name: str, seen: Standbys, first_seen: dict[str, datetime]) -> str:
    """A standby mostly has a slot of its name, which knows since when it is out of use."""
    slot = seen.slots.get(name)
    if (state := seen.state_of(name)) is not None:
        return f"the standby {name} is behind ({state}) since {instant(first_seen[name])}"
    since = (slot and slot.since) or first_seen[name]
    lost = ": its slot is lost, it has to be copied anew" if slot and slot.lost else ""
    return f"the standby {name} is missing since {instant(since)}{lost}"
