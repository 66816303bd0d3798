"""A steady load of clients that retry as real ones do, and that note everything they are told."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from neonblue.client import (
    ApiError,
    AsyncClient,
    ClientError,
    Metric,
    NewAssignment,
    NewEvent,
    NewExperiment,
    RetryPolicy,
    Variant,
)
from neonblue.contract.identifiers import uuid7
from neonblue.faults.notes import Notes

STEADY, CHANGING = "faults-steady", "faults-changing"
BATCH, KEYED, UNITS_AT_ONCE, PEOPLE = 20, 3, 10, 400
_PATIENT = RetryPolicy(attempts=1_000, base_seconds=0.1, cap_seconds=1.0)
_TIMEOUT_SECONDS = 10.0
_LAST_SECONDS = 60.0
"""After the end, what is under way is awaited so long; what has no answer then counts as sent alone."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where the clients go, and by which token."""

    address: str
    token: str


@dataclass(slots=True)
class Load:
    """Clients that send until they are stopped. `rate`: events a second, about."""

    way: Way
    seed: int
    rate: float
    notes: Notes = field(default_factory=Notes)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _units: int = 0
    _turn: int = 0
    _draw: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._draw.seed(self.seed)

    def stop(self) -> None:
        """Send no more. From the event loop's thread."""
        self._stop.set()

    async def run(self, started: Callable[[], object]) -> None:
        """Create the experiments, call `started`, then send until `stop`. Raises ClientError of the first part."""
        async with (
            AsyncClient(
                self.way.address, self.way.token, retry=_PATIENT, timeout_seconds=_TIMEOUT_SECONDS
            ) as client,
            httpx.AsyncClient(
                base_url=self.way.address,
                headers={"Authorization": f"Bearer {self.way.token}"},
                timeout=_TIMEOUT_SECONDS,
                trust_env=False,
            ) as http,
        ):
            for key in (STEADY, CHANGING):
                await client.create_experiment(_experiment(key, self.seed))
                await client.start(key)
            started()
            pace = 1 / self.rate
            clients = [
                self._again(pace * BATCH * 1.5, lambda: self._events(client, BATCH)),
                self._again(pace * 8, lambda: self._events(client, 1)),
                self._again(pace * UNITS_AT_ONCE * 2, lambda: self._assign(client)),
                self._again(pace * KEYED * 20, lambda: self._keyed(http)),
                self._again(5.0, lambda: self._change(client)),
                self._again(4.0, lambda: self._attributes(http)),
                self._again(6.0, lambda: self._link(client)),
                self._again(15.0, lambda: self._erase(client, http)),
            ]
            tasks = [asyncio.create_task(one) for one in clients]
            await self._stop.wait()
            done, late = await asyncio.wait(tasks, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
            for task in done:
                task.result()

    async def _again(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while not self._stop.is_set():
            with suppress(ClientError, httpx.HTTPError):
                await act()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds * self._draw.uniform(0.5, 1.5))

    # What the clients do

    async def _events(self, client: AsyncClient, count: int) -> None:
        await self.send(client, [self._event() for _ in range(count)])

    async def send(self, client: AsyncClient, events: Sequence[NewEvent]) -> None:
        """Send events, and note what is told of each."""
        for event in events:
            self.notes.sending([str(event.id)], event.user_id)
        receipt = await client.send(events)
        rejected = {item.index: item for item in receipt.rejections}
        self.notes.acknowledge(
            (str(event.id) for place, event in enumerate(events) if place not in rejected), time.monotonic()
        )
        for place, item in rejected.items():
            self.notes.refused(
                [str(events[place].id)], f"{item.code} {item.field or ''} {item.message or ''}"
            )

    async def _assign(self, client: AsyncClient) -> None:
        """New units, and some that were assigned before, in one of the two experiments."""
        key = STEADY if self._draw.random() < 0.7 else CHANGING
        first, self._units = self._units, self._units + UNITS_AT_ONCE * 2 // 3
        users = [f"unit-{self.seed}-{first + place}" for place in range(UNITS_AT_ONCE)]
        await self._assign_users(client, key, users)

    async def _assign_users(self, client: AsyncClient, key: str, users: Sequence[str]) -> None:
        answers = await client.assign_many([NewAssignment(experiment=key, user_id=user) for user in users])
        for user, answer in zip(users, answers, strict=True):
            # A paused experiment answers for itself: there only what an answer made counts.
            counts = answer.created if key == CHANGING else answer.reason is None
            if answer.variant_key is not None and answer.status != "rejected" and counts:
                self.notes.was_told((key, user), answer.variant_key, stored=answer.durable)

    async def _keyed(self, http: httpx.AsyncClient) -> None:
        """Events without ids under an Idempotency-Key, repeated until there is an answer, and once more after it."""
        self._turn += 1
        key = f"key-{self.seed}-{self._turn}"
        owner = self._person()
        self.notes.keys[key] = KEYED
        body = [
            {"user_id": owner, "event_type": "keyed", "session_id": key, "value": "1.5"} for _ in range(KEYED)
        ]
        answers: list[Any] = []
        while len(answers) < 2 and not self._stop.is_set():
            try:
                answer = await http.post("/v1/events", json=body, headers={"Idempotency-Key": key})
            except httpx.HTTPError:
                await asyncio.sleep(0.5)
                continue
            if answer.status_code in (429, 500, 502, 503, 504):
                await asyncio.sleep(0.5)
                continue
            if not answer.is_success:
                self.notes.wrong.append(f"{key}: {answer.status_code} {answer.text[:200]}")
                return
            answers.append([item["id"] for item in answer.json()["items"]])
        if len(answers) == 2 and answers[0] != answers[1]:
            self.notes.wrong.append(f"{key}: its repetition was answered with other ids")
        for ids in answers[:1]:
            self.notes.sending(ids, owner)
            self.notes.acknowledge(ids, time.monotonic())

    async def _change(self, client: AsyncClient) -> None:
        """Pause the one experiment, and resume it."""
        with suppress(ApiError):
            await client.pause(CHANGING, "a fault run")
        await asyncio.sleep(1)
        with suppress(ApiError):
            await client.resume(CHANGING, "a fault run")

    async def _attributes(self, http: httpx.AsyncClient) -> None:
        await http.patch(
            f"/v1/users/{self._person()}",
            params={"unit_type": "user"},
            json={"attributes": {"tier": self._draw.choice(["free", "plus"])}},
        )

    async def _link(self, client: AsyncClient) -> None:
        """An anonymous unit is assigned, becomes a person's, and the person is assigned."""
        self._turn += 1
        anonymous, person = f"anonymous-{self.seed}-{self._turn}", f"linked-{self.seed}-{self._turn}"
        await self._assign_users(client, STEADY, [anonymous])
        await client.link(anonymous, person)
        self.notes.pairs.append(((STEADY, anonymous), (STEADY, person)))
        await self._assign_users(client, STEADY, [person])

    async def _erase(self, client: AsyncClient, http: httpx.AsyncClient) -> None:
        """A person sends events, asks to be erased, and sends no more."""
        self._turn += 1
        person = f"erased-{self.seed}-{self._turn}"
        await self.send(client, [self._event(person) for _ in range(5)])
        self.notes.erased.add(person)
        while not self._stop.is_set():
            with suppress(httpx.HTTPError):
                answer = await http.delete(f"/v1/users/{person}", params={"unit_type": "user"})
                if answer.is_success:
                    self.notes.erasures_answered.add(person)
                    return
                if answer.status_code < 500 and answer.status_code != 429:
                    self.notes.wrong.append(f"erasure of {person}: {answer.status_code} {answer.text[:200]}")
                    return
            await asyncio.sleep(0.5)

    # What they send

    def _person(self) -> str:
        return f"person-{self.seed}-{self._draw.randrange(PEOPLE)}"

    def _event(self, owner: str = "") -> NewEvent:
        now = datetime.now(UTC) - timedelta(milliseconds=self._draw.randrange(2_000))
        buys = self._draw.random() < 0.2
        return NewEvent(
            id=event_id(now),
            user_id=owner or self._person(),
            event_type="purchase" if buys else "page_view",
            timestamp=now,
            session_id=f"session-{self._draw.randrange(1_000)}",
            value=Decimal(self._draw.randrange(1, 10_000)) / 100 if buys else None,
            properties={"page": "/checkout"},
        )


def event_id(now: datetime) -> str:
    """An id of this moment."""
    return uuid7(int(now.timestamp() * 1000))


def _experiment(key: str, seed: int) -> NewExperiment:
    return NewExperiment(
        key=key,
        name=key,
        hypothesis="Faults change nothing.",
        salt=f"{key}-{seed}",
        variants=[Variant("control", 1, is_control=True), Variant("treatment", 1)],
        metrics=[Metric(key="conversion", type="proportion", event_type="purchase", aggregation="any")],
    )
