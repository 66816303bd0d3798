"""Looks: each is taken once, whoever else tries at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from api.audit import Actor, Change, record
from api.experiments import repository as experiments
from api.experiments.answers import ExperimentOut
from api.experiments.service import locked
from api.http.problems import Problem, found
from api.http.refusals import refuse
from api.looks import repository, rules
from api.looks.schemas import LookIn
from api.postgres.database import Pool
from neonblue.contract.looks import LookMessage


@dataclass(frozen=True, slots=True)
class LookService:
    pool: Pool

    async def all(self, key: str) -> list[LookMessage]:
        """Every look at the experiment, in order. Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            row = found(await experiments.read_one(connection, key), "experiment")
            return await repository.read_looks(connection, row["id"])

    async def of_experiment(self, experiment_id: int) -> list[LookMessage]:
        """Every look at an experiment that there is, in order, by one query."""
        async with self.pool.connection() as connection:
            return await repository.read_looks(connection, experiment_id)

    async def keep(self, key: str, look: LookIn, actor: Actor) -> tuple[LookMessage, bool]:
        """Keep the look, or find the one that was taken up to the same time, which stands; whether it is new.

        Raises Problem `not_found`, `not_started`, `look_taken` with the `last_number`, or for each rule it breaks.
        """
        async with self.pool.transaction() as connection:
            # Under the lock: of two that take the same look the second one finds it, and no plan changes meanwhile.
            row = await locked(connection, key, None)
            earlier = await repository.read_looks(connection, row["id"])
            wanted = look.message(key)
            for taken in earlier:
                if taken.closed_to == wanted.closed_to:
                    return taken, False
            experiment = ExperimentOut.model_validate(row)
            _check_turn(wanted, experiment, earlier[-1].number if earlier else 0)
            broken = rules.refusals(wanted, experiment, earlier, datetime.now(UTC))
            if broken:
                raise refuse(422, broken)
            kept = await repository.insert(connection, row["id"], wanted)
            await record(
                connection, actor, Change("look", "experiment", key, None, msgspec.to_builtins(kept))
            )
        return kept, True


def _check_turn(look: LookMessage, experiment: ExperimentOut, last: int) -> None:
    if experiment.status not in rules.LOOKED_AT:
        message = (
            f"Looks are taken at what runs, is paused or concluded; this experiment is {experiment.status}"
        )
        raise Problem(409, "not_started", message)
    if look.number != last + 1:
        message = f"The next look is number {last + 1}: read the looks that were taken first"
        raise Problem(409, "look_taken", message, field="number", members={"last_number": last})
