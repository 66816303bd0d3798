"""Kafka as the version before ran it: anybody on the machine was served."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Sequence

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from neonblue.settings import Settings
from neonblue.stack.jvm import jars, java
from neonblue.stack.services.kafka import jar_cache

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
"""


def folder_with(settings: Settings, messages: Sequence[bytes]) -> None:
    """Format a data folder, make the topic, and leave messages in it."""
    folder = settings.data_dir / "kafka"
    folder.mkdir(parents=True)
    java.prepare(folder, jar_cache(settings))
    text = _PROPERTIES.format(port=settings.kafka.port, controller_port=settings.kafka.controller_port)
    (folder / "broker.properties").write_text(text)
    class_path = jars.ensure(jar_cache(settings), jars.locked()).class_path
    environment = os.environ | java.ENVIRONMENT
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    subprocess.run(
        [
            *java.arguments("kafka.tools.StorageTool", "format", class_path, 128),
            *(f"--cluster-id={cluster}", "-c", "broker.properties"),
        ],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    broker = subprocess.Popen(
        java.arguments("kafka.Kafka", "broker.properties", class_path, 256),
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        _fill(settings, messages)
    finally:
        broker.terminate()
        broker.wait(60)


def _fill(settings: Settings, messages: Sequence[bytes]) -> None:
    options = {"bootstrap.servers": settings.kafka.address, "log_level": 0}
    client = AdminClient(options | {"socket.timeout.ms": 60_000})
    (made,) = client.create_topics([NewTopic(settings.kafka.topic, 2)], request_timeout=60).values()
    made.result(90)
    producer = Producer(options)
    for message in messages:
        producer.produce(settings.kafka.topic, message)
    assert producer.flush(30) == 0
