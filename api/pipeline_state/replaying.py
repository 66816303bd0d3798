"""What did not arrive goes down the stream again: the remedy for dead letters, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import psycopg
import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.http.problems import Problem
from neonblue.republication import RepairUnderWay, StreamStandsStill, repair
from neonblue.settings import Settings

log = structlog.get_logger("api.pipeline")

WAIT_SECONDS = 60.0
"""So long what was published again has to arrive, and another replay to end."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The last one that this process began. ended: None while it is under way.

    published: rows by their kind. unresolved: dead letters whose rows are not present all the same; None: not known.
    problem: why it was not done, or empty.
    """

    by: str
    began: datetime
    ended: datetime | None = None
    published: Mapping[str, int] = field(default_factory=dict)
    unresolved: int | None = None
    problem: str = ""


class Replayer:
    """One at a time. A process that ends leaves it half done: the next one finishes it, and twice does no harm."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self.last: Replay | None = None

    def check(self) -> None:
        """Raises Problem `replay_under_way`."""
        if self.last is not None and self.last.ended is None:
            raise Problem(409, "replay_under_way", "A replay is under way already: wait until it has ended")

    def begin(self, actor: str) -> None:
        """Begin; it goes on by itself. actor: who the audit log says it was. Raises Problem `replay_under_way`."""
        with self._lock:
            self.check()
            self.last = begun = Replay(actor, datetime.now(UTC))
        threading.Thread(target=self._run, args=(begun,), name="replay", daemon=True).start()

    def _run(self, begun: Replay) -> None:
        done = begun
        try:
            repaired = repair(
                self._settings,
                wait_seconds=WAIT_SECONDS,
                progress=lambda kind, rows, _: self._note(begun, str(kind), rows),
                actor=begun.by,
            )
            done = replace(
                begun,
                published={str(kind): rows for kind, rows in repaired.published.items()},
                unresolved=sum(repaired.reconciliation.dead_letters.values()),
            )
        except (RepairUnderWay, StreamStandsStill) as error:
            done = replace(begun, problem=str(error))
        except (psycopg.Error, ClickHouseError, OSError) as error:
            log.warning("replay_failed", error=type(error).__name__)
            store = "PostgreSQL" if isinstance(error, psycopg.Error) else "ClickHouse"
            done = replace(
                begun, problem=f"{store} did not answer, or refused: the API’s log has which error"
            )
        except Exception as error:
            log.exception("replay_failed", error=type(error).__name__)
            done = replace(begun, problem="it failed: the API’s log says why")
        finally:
            self.last = replace(done, ended=datetime.now(UTC))

    def _note(self, begun: Replay, kind: str, rows: int) -> None:
        before = self.last or begun
        if rows:
            self.last = replace(before, published={**before.published, kind: rows})
