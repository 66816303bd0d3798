"""How long calls wait unless told otherwise: nothing waits for ever."""

ASSIGN_SECONDS = 2.0
"""An assignment, retries included: somebody's page waits for it."""

WAIT_SECONDS = 1.0
"""Room in a full queue of events."""

FLUSH_SECONDS = 60.0
"""Everything queued to be stored."""
