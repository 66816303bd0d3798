"""Whether there is room for the data, as a node that all can see. Nothing waits for it."""

from __future__ import annotations

from neonblue import disk
from neonblue.disk import Room
from neonblue.settings import Settings
from neonblue.stack.errors import StackError
from neonblue.stack.supervisor import logs
from neonblue.stack.supervisor.names import DISK, SUPERVISOR
from neonblue.stack.supervisor.nodes import Step


class Disk(Step):
    """Ready with a note beginning with "low:" while room runs out, not ready once events are refused."""

    name = DISK
    place = 90
    watch_seconds = 2.0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._note = ""

    def run(self) -> None:
        """A full disk does not hold up the start: what is there can be read. The first look follows at once."""

    def check(self) -> None:
        logs.limit(
            logs.path(self._settings.data_dir, SUPERVISOR)
        )  # each service's own thread sees to its log
        found = disk.look(self._settings.data_dir, self._settings.disk)
        self._note = found.sentence if found.room is Room.LOW else ""
        if found.room is Room.FULL:
            raise StackError(found.sentence)

    def note(self) -> str:
        return self._note
