"""When transactions begin, and what time it is, by PostgreSQL's clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from api.postgres.database import Clock, began_at, begin, connect
from neonblue.contract.instants import format_instant
from tests.integration.api.conftest import Server


def test_a_transaction_begins_at_its_own_now_however_often(postgres: Server) -> None:
    async def scenario() -> None:
        connection = await connect(postgres.dsn, "test")
        began: list[str] = []
        for _ in range(12):
            began.append(await begin(connection))
            row = await (await connection.execute("SELECT now()")).fetchone()
            assert row is not None
            assert format_instant(row[0]) == began[-1] == await began_at(connection)
            await connection.execute("COMMIT")
        assert began == sorted(set(began))
        await connection.close()

    asyncio.run(scenario())


def test_the_clock_goes_on_after_it_was_read(postgres: Server) -> None:
    async def scenario() -> None:
        connection = await connect(postgres.dsn, "test")
        clock = await Clock.of(connection)
        later = (await Clock.of(connection)).read
        assert clock.read < later
        assert abs(clock.now() - later) < timedelta(seconds=5)
        assert clock.now() < clock.now()
        await connection.close()

    asyncio.run(scenario())
