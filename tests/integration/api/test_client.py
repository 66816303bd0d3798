"""The typed client through an experiment's whole life, against a running API."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from neonblue.client import (
    Client,
    ConflictError,
    Decision,
    NewAssignment,
    NewExperiment,
    PreconditionError,
    ValidationError,
    Variant,
)
from tests.integration.api.conftest import TOKEN

ARMS = [Variant("a", is_control=True), Variant("b", payload={"value": 1})]


def test_an_experiment_lives_from_draft_to_archive(api: httpx.Client) -> None:
    key, kind = f"client-{uuid4()}", f"kind-{uuid4()}"
    with Client(str(api.base_url), TOKEN) as client:
        draft = client.create_experiment(
            NewExperiment(
                key=key,
                variants=ARMS,
                metrics=[],
                unit_type=kind,
                allocation=5_000,
                targeting='attributes.plan == "pro"',
                owner="ada",
            )
        )
        assert (draft.status, draft.allocation, draft.targeting) == (
            "draft",
            5_000,
            'attributes.plan == "pro"',
        )
        running = client.start(key, "reviewed")
        grown = client.change(key, {"allocation": 10_000}, version=running.version or 0)
        assert grown.allocation == 10_000
        with pytest.raises(PreconditionError):
            client.change(key, {"allocation": 10_000}, version=running.version or 0)
        (found,) = client.assign_all("u", unit_type=kind, attributes={"plan": "pro"})
        assert found.variant_key in ("a", "b")
        many = client.assign_many(
            [
                NewAssignment(experiment=key, user_id="u", attributes={"plan": "free"}),
                NewAssignment(experiment=key, user_id="v", attributes={"plan": "free"}),
            ]
        )
        assert [(item.variant_key, item.reason) for item in many] == [
            (found.variant_key, None),
            (None, "not_targeted"),
        ]
        assert client.pause(key, "look into it").status == "paused"
        with pytest.raises(ConflictError):
            client.assign(key, "w", attributes={"plan": "pro"})
        (refused,) = client.assign_many([NewAssignment(experiment=key, user_id="w")])
        assert (refused.status, refused.code, refused.variant_key) == ("rejected", "not_running", None)
        assert client.resume(key).status == "running"
        assert client.conclude(key, Decision("ship", "it helps", "b")).status == "concluded"
        assert client.archive(key).status == "archived"
        with pytest.raises(ConflictError):
            client.start(key)


def test_an_expression_that_does_not_compile_can_not_be_saved(api: httpx.Client) -> None:
    new = NewExperiment(key=f"client-{uuid4()}", variants=ARMS, metrics=[], targeting="attributes.age + 1")
    with Client(str(api.base_url), TOKEN) as client, pytest.raises(ValidationError) as caught:
        client.create_experiment(new)
    assert caught.value.problem.field == "targeting"


def test_two_ids_are_linked_once(api: httpx.Client) -> None:
    cookie, person = f"cookie-{uuid4()}", f"person-{uuid4()}"
    with Client(str(api.base_url), TOKEN) as client:
        assert [client.link(cookie, person)["created"] for _ in range(2)] == [True, False]
        with pytest.raises(ConflictError):
            client.link(cookie, "somebody-else")
