"""A node's storage is made, whatever its cluster is called."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack import env_file
from neonblue.stack.services import kafka


def test_a_cluster_whose_name_begins_with_a_dash_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    settings = env_file.with_secrets(Settings(data_dir=tmp_path))

    kafka.Kafka(settings).prepare()

    made = (tmp_path / "kafka" / "log" / "meta.properties").read_text()
    assert "cluster.id=-AAAAAAAAAAAAAAAAAAAAA" in made
