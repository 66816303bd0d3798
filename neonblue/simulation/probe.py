"""How long an event takes from its acknowledgement until a query finds it, measured on live events."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from neonblue.client import AsyncClient, ClientError, event_of
from neonblue.settings import ClickHouseSettings

PROBE_USER = "neonblue-latency-probe"
POLL_SECONDS = 0.01
EVERY_SECONDS = 0.5
GIVE_UP_SECONDS = 30.0
QUERY = "SELECT count() FROM events_processed WHERE user_id = {user:String} AND event_id = {id:UUID}"


@dataclass(slots=True)
class Latencies:
    """Seconds from acknowledgement to the first query that saw the event. `lost`: not seen in time."""

    seconds: list[float] = field(default_factory=list)
    lost: int = 0

    def quantile(self, share: float) -> float:
        """The smallest measured latency that `share` of the probes did not exceed; NaN without probes."""
        if not self.seconds:
            return float("nan")
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def probe(client: AsyncClient, settings: ClickHouseSettings, stop: asyncio.Event) -> Latencies:
    """Send an event twice a second, until `stop` is set, and watch for each."""
    latencies = Latencies()
    headers = {
        "X-ClickHouse-User": settings.readonly_user,
        "X-ClickHouse-Key": settings.readonly_password.get_secret_value(),
    }
    async with httpx.AsyncClient(base_url=settings.address, headers=headers, timeout=10) as clickhouse:
        while not stop.is_set():
            event = event_of("latency_probe", PROBE_USER)
            try:
                await client.send([event])
                await _await_visible(clickhouse, settings.database, event.id, latencies)
            except (ClientError, httpx.HTTPError):
                latencies.lost += 1
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
    return latencies


async def _await_visible(
    clickhouse: httpx.AsyncClient, database: str, event_id: str, latencies: Latencies
) -> None:
    acknowledged = time.monotonic()
    parameters = {"database": database, "param_user": PROBE_USER, "param_id": event_id}
    while time.monotonic() - acknowledged < GIVE_UP_SECONDS:
        response = await clickhouse.post("/", params=parameters, content=QUERY)
        response.raise_for_status()
        if response.text.strip() == "1":
            latencies.seconds.append(time.monotonic() - acknowledged)
            return
        await asyncio.sleep(POLL_SECONDS)
    latencies.lost += 1
