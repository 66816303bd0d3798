"""Who may do what on Kafka, and how each part signs in."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from neonblue.files import write_private
from neonblue.settings import Settings
from neonblue.settings.kafka import PARTS, KafkaSettings, in_java
from neonblue.stack import checkup, env_file
from neonblue.stack.errors import RequirementError
from neonblue.stack.services import kafka_access, templates
from tests.unit.stack.test_templates import properties

TLS: dict[str, Any] = {
    "bootstrap_servers": "kafka.example.com:9093",
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-256",
    "user": "team",
    "password": 'a"b\\c',
    "ssl_ca_location": "/etc/ssl/kafka.pem",
}


def test_connect_alone_writes_and_nobody_makes_topics() -> None:
    settings = Settings()
    granted = kafka_access.platform(settings)

    def may(operation: str) -> set[str]:
        return {user for user, grants in granted.items() for one in grants if one.operation == operation}

    assert may("WRITE") == {"neonblue-connect"}
    assert {one.operation for grants in granted.values() for one in grants} == {
        "READ",
        "WRITE",
        "DESCRIBE",
        "DESCRIBE_CONFIGS",
    }
    assert not any(one.prefixed or one.name == "*" for grants in granted.values() for one in grants)


def test_every_topic_of_the_stack_is_somebodys() -> None:
    settings = Settings(kafka={"topic": "other"})
    granted = {one.name for grants in kafka_access.platform(settings).values() for one in grants}

    assert {topic.name for topic in templates.topics(settings)} <= granted


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("neonblue", "x"),
        ("neonblue-admin", "x"),
        ("NeonBlue", "x"),
        ("x", "neonblue-connect"),
        ("", "x"),
        ("x", ""),
        ("a b", "x"),
        ("x", "*"),
        ("*", "x"),
        ("x" * 101, "x"),
        ("a;b", "x"),
        ("-a", "x"),
        ("a\n", "x"),
    ],
)
def test_names_that_would_reach_further_are_refused(name: str, group: str) -> None:
    assert "can't be used" in kafka_access.refusal(name, group)


def test_a_plain_name_is_taken() -> None:
    assert kafka_access.refusal("fraud-team", "fraud") == ""


@pytest.mark.parametrize("prefix", ["shop", "shopping", "s", "shop.a"])
def test_a_prefix_that_enters_anothers_groups_is_theirs(prefix: str) -> None:
    assert kafka_access.overlap(prefix, {"other": ("x",), "owner": ("shop",)}) == "owner"


def test_the_stacks_kafka_knows_each_part_by_a_password_of_its_own() -> None:
    kafka = env_file.with_secrets(Settings()).kafka
    passwords = {kafka.password_of(part) for part in PARTS}

    assert len(passwords) == len(PARTS)
    assert "" not in passwords
    assert kafka.client("api") == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "neonblue-api",
        "sasl.password": kafka.api_password.get_secret_value(),
    }
    assert kafka.security("clickhouse")["sasl.mechanism"] == "PLAIN"


def test_an_external_kafka_is_reached_as_it_is_set() -> None:
    kafka = Settings(kafka=TLS).kafka

    for part in PARTS:
        assert kafka.client(part) == {
            "bootstrap.servers": "kafka.example.com:9093",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "team",
            "sasl.password": 'a"b\\c',
            "ssl.ca.location": "/etc/ssl/kafka.pem",
        }
    assert in_java(kafka.security("connect")) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        r'username="team" password="a\"b\\c";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/etc/ssl/kafka.pem",
    }


def test_an_external_kafka_without_more_settings_is_spoken_to_as_before() -> None:
    kafka = env_file.with_secrets(Settings(kafka={"bootstrap_servers": "kafka:9092"})).kafka

    assert kafka.client("connect") == {"bootstrap.servers": "kafka:9092", "security.protocol": "PLAINTEXT"}
    assert kafka.password.get_secret_value() == ""


def test_sasl_without_a_user_is_refused() -> None:
    with pytest.raises(ValueError, match="NEONBLUE_KAFKA_USER"):
        Settings(kafka=TLS | {"user": ""})


@pytest.mark.parametrize(
    ("changed", "clickhouse", "good"),
    [
        ({}, {}, False),
        ({}, {"url": "http://clickhouse:8123"}, True),
        ({"security_protocol": "SSL"}, {}, False),
        ({"security_protocol": "SASL_PLAINTEXT"}, {}, False),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}, {}, True),
        ({"security_protocol": "PLAINTEXT"}, {}, True),
    ],
)
def test_what_the_embedded_clickhouse_can_not_speak_is_refused_at_the_start(
    changed: dict[str, str], clickhouse: dict[str, str], good: bool
) -> None:
    settings = Settings(kafka=TLS | changed, clickhouse=clickhouse)
    if good:
        checkup.require_reachable_kafka(settings)
        return
    with pytest.raises(RequirementError, match="NEONBLUE_CLICKHOUSE_URL"):
        checkup.require_reachable_kafka(settings)


def test_nothing_listens_without_a_password() -> None:
    broker = properties(templates.broker(env_file.with_secrets(Settings()), "log", "secret-of-the-node"))
    protocols = dict(one.split(":") for one in broker["listener.security.protocol.map"].split(","))
    listeners = [one.partition(":")[0] for one in broker["listeners"].split(",")]

    assert {protocols[name] for name in listeners} == {"SASL_PLAINTEXT"}
    assert broker["authorizer.class.name"].endswith("StandardAuthorizer")
    assert broker["allow.everyone.if.no.acl.found"] == "false"
    assert broker["super.users"] == "User:neonblue-admin;User:neonblue-node"


def test_a_part_without_a_password_can_not_sign_in_by_plain() -> None:
    assert "user_neonblue-clickhouse" not in templates.broker(Settings(), "log", "node")


def test_every_client_of_the_worker_signs_in_as_connect() -> None:
    settings = env_file.with_secrets(Settings())
    worker = properties(templates.worker(settings, "/plugins"))

    for client in ("", "producer.", "consumer.", "admin."):
        assert worker[f"{client}security.protocol"] == "SASL_PLAINTEXT"
        assert settings.kafka.connect_password.get_secret_value() in worker[f"{client}sasl.jaas.config"]
    assert settings.kafka.admin_password.get_secret_value() not in str(worker)


def test_the_worker_checks_certificates_by_a_copy_in_its_own_folder() -> None:
    worker = properties(templates.worker(Settings(kafka=TLS), "/plugins"))

    assert worker["producer.ssl.truststore.location"] == "kafka-ca.pem"


def test_a_private_file_is_its_owners_also_where_an_older_one_was_not(tmp_path: Path) -> None:
    file = tmp_path / "worker.properties"
    file.write_text("old")
    file.chmod(0o644)

    write_private(file, "new")

    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)


def test_every_process_finds_the_certificates_whatever_folder_it_works_in() -> None:
    kafka = KafkaSettings(
        bootstrap_servers="kafka:9092", security_protocol="SSL", ssl_ca_location=Path("ca.pem")
    )
    assert kafka.security("api")["ssl.ca.location"] == str(Path.cwd() / "ca.pem")
