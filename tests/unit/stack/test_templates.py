"""The configuration files of connectors/, filled in."""

from __future__ import annotations

import json
import re

import pytest

from neonblue.settings import Settings
from neonblue.stack.services import templates
from neonblue.stack.services.connect import database_variables

FOUR_MEBIBYTES = str(4 * 1024 * 1024)


def properties(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="port"):
        templates.render("a=${port}", {}, str)


def test_connect_takes_from_its_environment_what_the_connector_names_and_nothing_else() -> None:
    worker = properties(templates.worker(Settings(), "/plugins"))
    allowed = re.compile(worker["config.providers.env.param.allowlist.pattern"])

    named = set(re.findall(r"\$\{env:(\w+)\}", json.dumps(templates.connector(Settings()))))
    assert named == set(database_variables(Settings()))
    assert all(allowed.search(name) for name in named)
    assert not any(
        allowed.search(name) for name in ("PATH", "NEONBLUE_CDC_PASSWORD_OF_OTHERS", "X_NEONBLUE_CDC_USER")
    )


def test_what_the_worker_fills_in_itself_is_left() -> None:
    assert templates.render("${env:SECRET} ${port}", {"port": 1}, str) == "${env:SECRET} 1"


def test_no_placeholder_of_ours_is_left_anywhere() -> None:
    settings = Settings()
    texts = [
        templates.broker(settings, "/data", "node"),
        templates.worker(settings, "/plugins"),
        str(templates.connector(settings)),
        str(templates.topics(settings)),
    ]

    assert [found for text in texts for found in re.findall(r"\$\{[a-z_]+\}", text)] == []


def test_every_link_allows_the_largest_message() -> None:
    settings = Settings()
    broker = properties(templates.broker(settings, "/data", "node"))
    worker = properties(templates.worker(settings, "/plugins"))
    events = next(topic for topic in templates.topics(settings) if topic.name == settings.kafka.topic)

    assert broker["message.max.bytes"] == FOUR_MEBIBYTES
    assert worker["producer.max.request.size"] == FOUR_MEBIBYTES
    assert worker["consumer.max.partition.fetch.bytes"] == FOUR_MEBIBYTES
    assert events.config["max.message.bytes"] == FOUR_MEBIBYTES


def test_the_settings_reach_the_topic_the_slot_and_the_publication() -> None:
    settings = Settings(
        kafka={"topic": "other", "partitions": 7, "retention_hours": 2},
        connect={"slot": "a_slot", "publication": "a_publication"},
    )

    events = next(topic for topic in templates.topics(settings) if topic.name == "other")
    connector = templates.connector(settings)

    assert (events.partitions, events.config["retention.ms"]) == (7, "7200000")
    assert connector["transforms.route.topic.replacement"] == "other"
    assert (connector["slot.name"], connector["publication.name"]) == ("a_slot", "a_publication")


@pytest.mark.parametrize(
    ("kafka", "each"),
    [
        ({"partitions": 4}, "25000000000"),
        ({"partitions": 3, "retention_gigabytes": 1}, "333333333"),
        ({"retention_gigabytes": 0}, "-1"),
    ],
)
def test_the_topic_is_bound_in_bytes_as_a_whole(kafka: dict[str, int], each: str) -> None:
    events = templates.topics(Settings(kafka=kafka))[0]

    assert events.config["retention.bytes"] == each


def test_the_connectors_secrets_are_references() -> None:
    connector = templates.connector(Settings(postgres={"password": "hidden"}))

    assert connector["database.password"] == "${env:NEONBLUE_CDC_PASSWORD}"
    assert "hidden" not in str(connector)


def test_only_the_outbox_is_routed_to_the_topic() -> None:
    connector = templates.connector(Settings())
    routed = re.compile(connector["transforms.route.topic.regex"])

    assert connector["table.include.list"] == "public.outbox_events,public.heartbeat"
    assert connector["snapshot.include.collection.list"] == "public.outbox_events"
    assert routed.fullmatch("neonblue.public.outbox_events")
    assert not routed.fullmatch("neonblue_heartbeat.neonblue")
    assert not routed.fullmatch("neonblue.public.heartbeat")


def test_heartbeats_go_to_a_topic_of_their_own_beside_the_connectors() -> None:
    settings = Settings()
    connector = templates.connector(settings)
    routed = re.compile(connector["transforms.beat.topic.regex"])

    assert routed.fullmatch("neonblue.public.heartbeat")
    assert not routed.fullmatch("neonblue.public.outbox_events")
    assert connector["transforms.beat.topic.replacement"] == settings.kafka.heartbeat_topic
    prefix = f"{connector['topic.heartbeat.prefix']}.{connector['topic.prefix']}"
    assert settings.kafka.heartbeat_topic == prefix
    assert settings.kafka.heartbeat_topic in {topic.name for topic in templates.topics(settings)}
