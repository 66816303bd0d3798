"""The client's log: the application's own, which may be unable to write. That must end nothing."""

from __future__ import annotations

from contextlib import suppress

import structlog


class QuietLog:
    """As structlog's logger, of which no method raises."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("neonblue.client")

    def warning(self, event: str, **fields: object) -> None:
        with suppress(Exception):
            self._log.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        with suppress(Exception):
            self._log.error(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """With the trace of the exception that is being handled."""
        with suppress(Exception):
            self._log.exception(event, **fields)


log = QuietLog()
