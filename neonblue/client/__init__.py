"""The Python client: assignment, exposures, events and experiments, for blocking and asyncio programs."""

from neonblue.client.asynchronous import AsyncClient
from neonblue.client.batching import BatchOptions
from neonblue.client.build import event_of
from neonblue.client.errors import (
    ApiError,
    AuthenticationError,
    ClientError,
    ClosedError,
    ConflictError,
    NotFoundError,
    PreconditionError,
    Problem,
    QueueFullError,
    UnavailableError,
    ValidationError,
)
from neonblue.client.local import LocalAssignment
from neonblue.client.messages import (
    Assignment,
    Decision,
    Denominator,
    EventReceipt,
    Experiment,
    ItemStatus,
    Layer,
    Metric,
    MetricReference,
    NewAssignment,
    NewEvent,
    NewExperiment,
    NewRelease,
    NewReleaseRamp,
    Release,
    ReleaseRamp,
    ReleaseStep,
    Variant,
)
from neonblue.client.retry import RetryPolicy
from neonblue.client.sync import Client
from neonblue.contract.answers import EventItem
from neonblue.contract.identifiers import uuid7

__all__ = [
    "ApiError",
    "Assignment",
    "AsyncClient",
    "AuthenticationError",
    "BatchOptions",
    "Client",
    "ClientError",
    "ClosedError",
    "ConflictError",
    "Decision",
    "Denominator",
    "EventItem",
    "EventReceipt",
    "Experiment",
    "ItemStatus",
    "Layer",
    "LocalAssignment",
    "Metric",
    "MetricReference",
    "NewAssignment",
    "NewEvent",
    "NewExperiment",
    "NewRelease",
    "NewReleaseRamp",
    "NotFoundError",
    "PreconditionError",
    "Problem",
    "QueueFullError",
    "Release",
    "ReleaseRamp",
    "ReleaseStep",
    "RetryPolicy",
    "UnavailableError",
    "ValidationError",
    "Variant",
    "event_of",
    "uuid7",
]
