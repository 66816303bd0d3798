"""The client's log: the application's own, which may be unable to write. That must end nothing."""

from __future__ import annotations

import logging
from contextlib import suppress


class QuietLog:
    """The logger `neonblue.client` of Python's logging: an event's name with fields. No method raises."""

    def __init__(self) -> None:
        self._log = logging.getLogger("neonblue.client")

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """With the trace of the exception that is being handled."""
        self._write(logging.ERROR, event, fields, trace=True)

    def _write(self, level: int, event: str, fields: dict[str, object], *, trace: bool = False) -> None:
        with suppress(Exception):
            said = "".join(f" {name}={value!r}" for name, value in fields.items())
            self._log.log(level, "%s%s", event, said, exc_info=trace, extra={"neonblue": fields})


log = QuietLog()
