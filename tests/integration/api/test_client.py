"""The typed client through an experiment's whole life, against a running API."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import httpx
import pytest

from neonblue.client import (
    Client,
    ConflictError,
    Decision,
    Denominator,
    Metric,
    MetricReference,
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
            ("a", "not_targeted"),
        ]
        assert [item.in_experiment for item in many] == [True, False]
        assert client.pause(key, "look into it").status == "paused"
        (served,) = client.assign_many([NewAssignment(experiment=key, user_id="w")])
        assert client.assign(key, "w", attributes={"plan": "pro"}).served_by == "control"
        assert (served.variant_key, served.reason, served.assigned_at) == ("a", "paused", None)
        assert client.resume(key).status == "running"
        assert client.conclude(key, Decision("ship", "it helps", "b")).status == "concluded"
        released = client.assign(key, "w", attributes={"plan": "pro"})
        assert (released.variant_key, released.reason, released.served_by) == ("b", "released", "release")
        with pytest.raises(ConflictError) as in_use:
            client.archive(key)
        assert in_use.value.code == "still_evaluated"
        assert client.archive(key, "nobody else asks for it", force=True).status == "archived"
        with pytest.raises(ConflictError):
            client.start(key)


def test_every_kind_of_metric_can_be_made_and_read_again(api: httpx.Client) -> None:
    ratio = Metric(
        key="clicks_per_search",
        type="ratio",
        event_type="click",
        aggregation="count",
        denominator=Denominator(event_type="search", aggregation="count"),
        window_seconds=86_400,
    )
    latency = Metric(
        key="latency",
        type="quantile",
        event_type="load",
        aggregation="sum",
        quantile=Decimal("0.95"),
        role="secondary",
    )
    errors = Metric(
        key="errors",
        type="proportion",
        event_type="error",
        aggregation="any",
        role="guardrail",
        direction="decrease",
        margin=Decimal("0.05"),
        margin_relative=False,
        cuped=False,
    )
    shared = f"revenue-{uuid4()}"
    body = {"key": shared, "type": "mean", "event_type": "purchase", "aggregation": "sum", "cap": "500"}
    assert api.post("/v1/metrics", json=body).is_success
    of_the_catalogue = MetricReference(key=shared, role="secondary", minimum_effect=Decimal("0.02"))
    metrics = [ratio, latency, errors, of_the_catalogue]

    with Client(str(api.base_url), TOKEN) as client:
        new = NewExperiment(key=f"client-{uuid4()}", variants=ARMS, metrics=metrics)
        made = {metric.key: metric for metric in client.create_experiment(new).metrics}

    assert made["clicks_per_search"].denominator == ratio.denominator
    assert (made["latency"].quantile, made["latency"].cuped) == (Decimal("0.95"), False)
    assert (made["errors"].margin, made["errors"].margin_relative) == (Decimal("0.05"), False)
    assert (made[shared].cap, made[shared].minimum_effect) == (Decimal(500), Decimal("0.02"))


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
