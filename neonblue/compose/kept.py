"""What a deployment's folder keeps: every secret, in its ``neonblue.env``, made once."""

from __future__ import annotations

import base64
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from neonblue.files import write_private
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack import environment

_WRITER, _NODE, _CLUSTER = "CLICKHOUSE_WRITER_PASSWORD", "KAFKA_NODE_PASSWORD", "KAFKA_CLUSTER_ID"
"""Lines of ``neonblue.env`` that are no settings of NeonBlue."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A deployment's secrets.

    settings: as those of an embedded stack in that folder, which has the same ports and users. writer: the password of
    whom the API is in ClickHouse. kafka_node: by which Kafka's node signs in with itself.
    """

    settings: Settings
    writer: str = field(repr=False)
    kafka_node: str = field(repr=False)
    kafka_cluster: str


def load(folder: Path) -> Kept:
    """What the folder keeps, with what is missing made anew. Writes nothing."""
    path = folder / ENVIRONMENT_FILE
    present = dotenv_values(path, interpolate=False) if path.exists() else {}
    # Without the settings of whoever makes it: those in the environment are another stack's.
    plain = Settings.model_construct(data_dir=folder)
    return Kept(
        settings=environment.with_secrets(environment.with_stored_secrets(plain)),
        writer=present.get(_WRITER) or secrets.token_urlsafe(24),
        kafka_node=present.get(_NODE) or secrets.token_urlsafe(24),
        kafka_cluster=present.get(_CLUSTER) or _cluster_id(),
    )


def save(kept: Kept) -> Path:
    """Write ``neonblue.env``, its owner's alone, keeping what else is in it."""
    path = kept.settings.data_dir / ENVIRONMENT_FILE
    others = {_WRITER: kept.writer, _NODE: kept.kafka_node, _CLUSTER: kept.kafka_cluster}
    if not path.exists():
        write_private(path, "".join(f"{name}='{value}'\n" for name, value in others.items()))
    return environment.write(kept.settings)


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
