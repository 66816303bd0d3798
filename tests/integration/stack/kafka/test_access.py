"""Nobody reads, writes or changes anything on Kafka without a user that may: on a folder of the version before, too."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from neonblue.consumer_lag import read_lag
from neonblue.settings import Settings
from neonblue.settings.kafka import PARTS, Part, sasl
from neonblue.stack import Stack
from neonblue.stack.catalogue import with_free_ports
from tests.integration.stack.conftest import new_folder
from tests.integration.stack.kafka.older import folder_with
from tests.integration.warehouse import connect, envelope, event, rows
from tests.waiting import until

SERVICES = {"kafka", "clickhouse"}
SHORT = {"log_level": 0, "socket.timeout.ms": 5000, "socket.connection.setup.timeout.ms": 5000}
DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
ERASED = {
    "schema_version": 1,
    "unit_type": "user",
    "user_id": "somebody",
    "erased_at": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """On a folder of the version before, with a message in it."""
    folder = new_folder()
    settings = with_free_ports(Settings.load(folder))
    try:
        folder_with(settings, [envelope("event", event())])
        with Stack(settings, services=SERVICES) as running:
            running.wait_ready(timeout=120)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return stack.settings


def found(settings: Settings, table: str) -> int:
    with connect(settings) as client:
        ((number,),) = rows(client, f"SELECT count() FROM {table}")
    return int(number)


def options(settings: Settings, part: Part, **changed: str) -> dict[str, Any]:
    return (
        settings.kafka.client(part)
        | SHORT
        | {name.replace("_", "."): value for name, value in changed.items()}
    )


def refused(action: Callable[[], object]) -> set[int]:
    with pytest.raises(KafkaException) as caught:
        action()
    return {caught.value.args[0].code()}


def written(given: dict[str, Any], topic: str, message: bytes) -> KafkaError | None:
    """What became of one message."""
    outcome: list[KafkaError | None] = []
    producer = Producer(given | {"message.timeout.ms": 8000})
    producer.produce(topic, message, on_delivery=lambda error, _: outcome.append(error))
    producer.flush(10)
    return outcome[0]


def read(given: dict[str, Any], topic: str, group: str) -> bytes | KafkaError | None:
    """The first message, or why there is none."""
    consumer = Consumer(
        given | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(20)
        if message is None:
            return None
        return message.error() or message.value()
    finally:
        consumer.close()


def test_what_the_version_before_left_is_consumed(settings: Settings) -> None:
    until(lambda: found(settings, "events_processed") == 1, "the old message is in ClickHouse")


@pytest.mark.parametrize("port", ["port", "controller_port"])
@pytest.mark.parametrize(
    "attempt",
    [
        {"security.protocol": "PLAINTEXT"},
        sasl("neonblue-admin", "wrong"),
        sasl("neonblue-admin", "wrong", "PLAIN"),
        sasl("neonblue-node", "neonblue-node", "PLAIN"),
        sasl("nobody", "nothing"),
    ],
    ids=lambda attempt: "-".join(attempt.values()),
)
def test_who_has_no_password_gets_nothing(settings: Settings, attempt: dict[str, str], port: str) -> None:
    given = SHORT | attempt | {"bootstrap.servers": f"127.0.0.1:{getattr(settings.kafka, port)}"}

    with pytest.raises(KafkaException):
        AdminClient(given).list_topics(timeout=3)
    assert written(given, settings.kafka.topic, envelope("user", ERASED)) is not None
    assert found(settings, "erased_users") == 0


@pytest.mark.parametrize("part", PARTS)
def test_no_users_password_opens_the_controller_or_another_way_to_sign_in(
    settings: Settings, part: Part
) -> None:
    controller = f"127.0.0.1:{settings.kafka.controller_port}"
    with pytest.raises(KafkaException):
        AdminClient(options(settings, part, bootstrap_servers=controller)).list_topics(timeout=3)
    if part != "clickhouse":
        with pytest.raises(KafkaException):
            AdminClient(options(settings, part, sasl_mechanism="PLAIN")).list_topics(timeout=3)


@pytest.mark.parametrize("part", ["clickhouse", "api", "dagster", "monitoring"])
@pytest.mark.parametrize(
    "message", [envelope("event", event()), envelope("user", ERASED)], ids=["event", "erasure"]
)
def test_who_reads_writes_nothing(settings: Settings, part: Part, message: bytes) -> None:
    events, erased = found(settings, "events_processed"), found(settings, "erased_users")

    error = written(options(settings, part), settings.kafka.topic, message)

    assert error is not None
    assert error.code() in DENIED
    assert (found(settings, "events_processed"), found(settings, "erased_users")) == (events, erased)


@pytest.mark.parametrize("part", ["connect", "dagster", "monitoring"])
def test_who_has_no_use_for_messages_reads_none(settings: Settings, part: Part) -> None:
    answer = read(options(settings, part), settings.kafka.topic, settings.clickhouse.kafka_group)

    assert isinstance(answer, KafkaError)
    assert answer.code() in DENIED


@pytest.mark.parametrize("part", ["connect", "api", "dagster", "monitoring"])
def test_no_other_part_moves_the_place_of_clickhouse(settings: Settings, part: Part) -> None:
    group, topic = settings.clickhouse.kafka_group, settings.kafka.topic
    client = AdminClient(options(settings, part))
    before = place(settings)

    assert moved(client, group, topic) in DENIED
    assert refused(lambda: wait(client.delete_consumer_groups([group]))) <= DENIED

    assert place(settings) == before


@pytest.mark.parametrize("part", ["api", "dagster", "monitoring"])
def test_who_tells_of_the_lag_sees_it(settings: Settings, part: Part) -> None:
    """The pipeline's page, a check, the exporter."""
    until(
        lambda: sum(lag.messages for lag in read_lag(settings, part)) == 0,
        "all that was written has been read",
    )
    assert len(read_lag(settings, part)) == settings.kafka.partitions


def moved(client: AdminClient, group: str, topic: str) -> int | None:
    """Why the group's place could not be moved: told of the request or of the partition."""
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    try:
        (answer,) = (
            future.result(timeout=15) for future in client.alter_consumer_group_offsets([wanted]).values()
        )
    except KafkaException as error:
        return int(error.args[0].code())
    (partition,) = answer.topic_partitions
    return None if partition.error is None else int(partition.error.code())


def place(settings: Settings) -> list[tuple[int, int]]:
    """How far ClickHouse has read, by partition."""
    group, client = settings.clickhouse.kafka_group, AdminClient(options(settings, "admin"))
    (future,) = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    return sorted((one.partition, one.offset) for one in future.result(timeout=15).topic_partitions)


@pytest.mark.parametrize("part", ["connect", "clickhouse", "api", "dagster"])
def test_no_part_but_the_stack_makes_changes_or_deletes_anything(settings: Settings, part: Part) -> None:
    topic, client = settings.kafka.topic, AdminClient(options(settings, part))
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    on_topic = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    on_broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    rule = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:*",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    password = UserScramCredentialUpsertion(
        "neonblue-admin", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"mine"
    )
    attempts: list[Callable[[], dict[Any, Future[Any]]]] = [
        lambda: client.create_topics([NewTopic("another", 1)]),
        lambda: client.delete_topics([topic]),
        lambda: client.create_partitions([NewPartitions(topic, 9)]),
        lambda: client.delete_records([TopicPartition(topic, 0, 1)]),
        lambda: client.incremental_alter_configs([on_topic]),
        lambda: client.incremental_alter_configs([on_broker]),
        lambda: client.create_acls([rule]),
        lambda: client.alter_user_scram_credentials([password]),
    ]

    for attempt in attempts:
        assert refused(lambda attempt=attempt: wait(attempt())) <= DENIED  # type: ignore[misc]


def wait(pending: dict[Any, Future[Any]]) -> None:
    for future in pending.values():
        future.result(timeout=15)


def kafka_user(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neonblue.cli.main", "kafka-user", *arguments]
    return subprocess.run(
        [*command, "--data-dir", str(settings.data_dir)], capture_output=True, text=True, check=False
    )


def test_a_consumer_that_the_owner_adds_reads_the_topic_and_does_nothing_else(settings: Settings) -> None:
    topic = settings.kafka.topic
    made = kafka_user(settings, "add", "fraud-team", "--group", "fraud", "--json")
    given: dict[str, Any] = json.loads(made.stdout) | SHORT
    group = given.pop("group.id")

    assert group == "fraud"
    assert isinstance(read(given, topic, "fraud-detection"), bytes)
    for other in (settings.clickhouse.kafka_group, "fra"):
        answer = read(given, topic, other)
        assert isinstance(answer, KafkaError)
        assert answer.code() in DENIED
    error = written(given, topic, envelope("user", ERASED))
    assert error is not None
    assert error.code() in DENIED
    assert set(AdminClient(given).list_topics(timeout=5).topics) == {topic}
    assert "fraud-team" in kafka_user(settings, "list").stdout
    for refused_name in ("fraud-team", "neonblue-admin", "a b"):
        assert kafka_user(settings, "add", refused_name).returncode == 1
    overlapping = kafka_user(settings, "add", "somebody", "--group", "fraud-2")
    assert (overlapping.returncode, "fraud-team" in overlapping.stderr) == (1, True)

    assert kafka_user(settings, "remove", "fraud-team", "--yes").returncode == 0

    assert not isinstance(read(given, topic, "fraud-detection"), bytes)
    assert "fraud-team" not in kafka_user(settings, "list").stdout


def test_the_documents_consumer_reads_the_topic(settings: Settings, tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "docs" / "operations.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    added = kafka_user(settings, "add", "fraud")
    assert added.returncode == 0, added.stderr
    (tmp_path / "fraud.properties").write_text(added.stdout)

    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "EVENT_CREATED" in done.stdout, done.stderr
    assert kafka_user(settings, "remove", "fraud", "--yes").returncode == 0


def test_secrets_are_in_no_argument_and_no_file_of_others(settings: Settings) -> None:
    secrets = [settings.kafka.password_of(part) for part in PARTS]
    for process in psutil.process_iter(["cmdline"]):
        assert not any(secret in " ".join(process.info["cmdline"] or ()) for secret in secrets)
    holding = 0
    for path in settings.data_dir.rglob("*"):
        if (
            path.is_file()
            and not path.is_symlink()
            and path.suffix in (".env", ".properties", ".xml", ".log")
        ):
            text = path.read_text(errors="replace")
            if any(secret in text for secret in secrets):
                holding += 1
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
                assert path.suffix != ".log"
    assert holding >= 2


def test_a_changed_password_counts_from_the_next_start(stack: Stack) -> None:
    """The last test: it stops the stack."""
    old = options(stack.settings, "api")
    stack.stop()
    kafka = stack.settings.kafka.model_copy(
        update={"api_password": type(stack.settings.kafka.api_password)("changed")}
    )
    with Stack(stack.settings.model_copy(update={"kafka": kafka}), services=SERVICES) as running:
        running.wait_ready(timeout=120)

        with pytest.raises(KafkaException):
            AdminClient(old).list_topics(timeout=3)
        assert isinstance(read(options(running.settings, "api"), kafka.topic, "neonblue-erasures"), bytes)
        until(lambda: found(running.settings, "events_processed") == 1, "ClickHouse goes on")
