"""Each HTTP call as a value: what to send and how to read the answer. Both clients make the same calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from neonblue.bucketing.document import ConfigurationDocument
from neonblue.client.messages import (
    Assignment,
    Assignments,
    Decision,
    EventReceipt,
    Experiment,
    NewAssignment,
    NewEvent,
    NewExperiment,
    NewRelease,
)

T = TypeVar("T")

encode = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical").encode
_receipt = msgspec.json.Decoder(EventReceipt).decode
_assignment = msgspec.json.Decoder(Assignment).decode
_assignments = msgspec.json.Decoder(Assignments).decode
_experiment = msgspec.json.Decoder(Experiment).decode
_document = msgspec.json.Decoder(ConfigurationDocument).decode
_anything = msgspec.json.Decoder().decode

NOT_MODIFIED = 304
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One HTTP call. `idempotent`: a repetition changes nothing. `also`: statuses that answer too."""

    method: str
    path: str
    decode: Callable[[bytes], T]
    body: bytes | None = None
    idempotent: bool = True
    also: frozenset[int] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)


def events(items: Sequence[NewEvent]) -> Call[EventReceipt]:
    """Store events. Repeatable: each carries its id."""
    return encoded_events([encode(item) for item in items])


def encoded_events(items: Sequence[bytes]) -> Call[EventReceipt]:
    """Store events that are JSON already."""
    body = b"[" + b",".join(items) + b"]"
    return Call("POST", "/v1/events", _receipt, body, also=frozenset({UNPROCESSABLE}))


def assign(item: NewAssignment) -> Call[Assignment]:
    """Assign one unit. Repeatable: the first assignment of a unit stays."""
    return Call("POST", "/v1/assignments", _assignment, encode(item))


def assign_many(items: Sequence[NewAssignment]) -> Call[Assignments]:
    """Assign many units."""
    return Call("POST", "/v1/assignments", _assignments, encode(items), also=frozenset({UNPROCESSABLE}))


def assign_all(item: NewAssignment) -> Call[Assignments]:
    """Assign one unit to every running experiment."""
    return Call("POST", "/v1/assignments", _assignments, encode(item))


def link(anonymous_id: str, user_id: str, unit_type: str | None) -> Call[Any]:
    """Link two ids. Repeatable: the second time it changes nothing."""
    body = {"anonymous_id": anonymous_id, "user_id": user_id}
    if unit_type is not None:
        body["unit_type"] = unit_type
    return Call("POST", "/v1/users/links", _anything, encode(body))


def configuration(revision: str | None) -> Call[ConfigurationDocument | None]:
    """All running experiments; None where they are still those of `revision`."""
    known = {} if revision is None else {"If-None-Match": f'"{revision}"'}
    return Call(
        "GET",
        "/v1/configuration",
        lambda body: _document(body) if body else None,
        also=frozenset({NOT_MODIFIED}),
        headers=known,
    )


def create_experiment(experiment: NewExperiment) -> Call[Experiment]:
    """Create a draft. Not repeatable: the second time it exists."""
    return Call("POST", "/v1/experiments", _experiment, encode(experiment), idempotent=False)


def experiment(key: str) -> Call[Experiment]:
    """Read one experiment."""
    return Call("GET", f"/v1/experiments/{quote(key, safe='')}", _experiment)


def experiments() -> Call[Any]:
    """List experiments, as the API gives them."""
    return Call("GET", "/v1/experiments", _anything)


def step(key: str, name: str, body: Decision | str | None = None) -> Call[Experiment]:
    """Take a step of the life cycle, such as `start`; `body`: why, or what was decided."""
    content = {"reason": body} if isinstance(body, str) else body
    return Call(
        "POST",
        f"/v1/experiments/{quote(key, safe='')}/{name}",
        _experiment,
        None if content is None else encode(content),
        idempotent=False,
    )


def archive(key: str, reason: str | None, *, force: bool) -> Call[Experiment]:
    """Archive; `force`: although the key is asked for still."""
    why = {"reason": reason, "force": force or None}
    content = {name: value for name, value in why.items() if value is not None}
    return Call(
        "POST",
        f"/v1/experiments/{quote(key, safe='')}/archive",
        _experiment,
        encode(content) if content else None,
        idempotent=False,
    )


def change(key: str, changes: Mapping[str, Any], version: int) -> Call[Experiment]:
    """Change what the experiment's state allows, if it is still at this version."""
    return Call(
        "PATCH",
        f"/v1/experiments/{quote(key, safe='')}",
        _experiment,
        encode(changes),
        idempotent=False,
        headers={"If-Match": f'"{version}"'},
    )


def release(key: str, release: NewRelease, version: int, reason: str | None) -> Call[Experiment]:
    """Change what a concluded experiment's key gives, if it is still at this version."""
    content = msgspec.to_builtins(release) | ({} if reason is None else {"reason": reason})
    return Call(
        "PUT",
        f"/v1/experiments/{quote(key, safe='')}/release",
        _experiment,
        encode(content),
        idempotent=False,
        headers={"If-Match": f'"{version}"'},
    )


def results(key: str) -> Call[Any]:
    """The newest results, as the API gives them."""
    return Call("GET", f"/v1/experiments/{quote(key, safe='')}/results", _anything)
