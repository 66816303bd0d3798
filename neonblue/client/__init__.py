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
    Problem,
    QueueFullError,
    UnavailableError,
    ValidationError,
)
from neonblue.client.identifiers import uuid7
from neonblue.client.local import LocalAssignment
from neonblue.client.messages import (
    Assignment,
    EventItem,
    EventReceipt,
    Experiment,
    ItemStatus,
    Metric,
    NewAssignment,
    NewEvent,
    NewExperiment,
    Variant,
)
from neonblue.client.retry import RetryPolicy
from neonblue.client.sync import Client

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
    "EventItem",
    "EventReceipt",
    "Experiment",
    "ItemStatus",
    "LocalAssignment",
    "Metric",
    "NewAssignment",
    "NewEvent",
    "NewExperiment",
    "NotFoundError",
    "Problem",
    "QueueFullError",
    "RetryPolicy",
    "UnavailableError",
    "ValidationError",
    "Variant",
    "event_of",
    "uuid7",
]
