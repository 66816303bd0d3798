"""The order of start and stop follows from what each part requires."""

from __future__ import annotations

from typing import ClassVar

import pytest

from neonblue.backoff import LONGEST_DELAY, backoff
from neonblue.settings import Settings
from neonblue.stack import catalogue
from neonblue.stack.supervisor.nodes import Node, Step, dependents, ordered, requirements, select


class Plain(Step):
    def run(self) -> None:
        return None


def step(name: str, *requires: str, optional: tuple[str, ...] = (), uses: tuple[str, ...] = ()) -> Node:
    body: dict[str, ClassVar[object]] = {
        "name": name,
        "requires": requires,
        "optional": optional,
        "uses": uses,
    }
    return type(name, (Plain,), body)()


def everything() -> tuple[Node, ...]:
    return catalogue.nodes(Settings(), lambda _: None)


def names(nodes: object) -> set[str]:
    return {node.name for node in nodes}  # type: ignore[attr-defined]


def test_every_node_comes_after_what_it_requires() -> None:
    order = [node.name for node in ordered(everything())]

    for node in everything():
        for required in requirements(node, order):
            assert order.index(required) < order.index(node.name)


def test_a_cycle_is_refused_and_named() -> None:
    with pytest.raises(ValueError, match="a, b"):
        ordered([step("a", "b"), step("b", "a"), step("c")])


def test_the_connector_waits_for_the_tables_it_reads_and_the_topics_it_writes() -> None:
    connector = next(node for node in everything() if node.name == "connector")

    assert {"postgres-schema", "topics", "connect"} <= set(connector.requires)


def test_steps_come_with_the_services_they_need_and_only_then() -> None:
    chosen = names(select(everything(), {"postgres", "valkey"}))

    assert chosen == {"postgres", "valkey", "postgres-schema"}


def test_the_downloads_come_with_kafka_and_the_disk_with_all() -> None:
    wanted = catalogue.with_steps(everything(), {"kafka"})

    assert names(select(everything(), wanted)) == {"jars", "kafka", "topics", "disk"}


def test_all_services_bring_all_steps() -> None:
    assert names(select(everything(), catalogue.with_steps(everything(), None))) == names(everything())


def test_a_service_without_what_it_requires_is_refused() -> None:
    with pytest.raises(ValueError, match="connect needs kafka"):
        select(everything(), {"connect", "jars"})


def test_an_unknown_service_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"oracle; there are .*postgres"):
        select(everything(), {"oracle"})


def test_a_node_stops_before_what_it_requires_and_before_what_it_uses() -> None:
    nodes = [
        step("a"),
        step("b", "a"),
        step("c", uses=("a",)),
        step("d", optional=("a", "z")),
        step("e", "b"),
    ]

    assert dependents("a", nodes) == ("b", "c", "d")


def test_an_external_service_is_only_watched() -> None:
    settings = Settings(kafka={"bootstrap_servers": "broker:9092"}, dagster={"url": "http://dagster:3000"})
    by_name = {node.name: node for node in catalogue.nodes(settings, lambda _: None)}

    assert isinstance(by_name["kafka"], Step)
    assert isinstance(by_name["dagster"], Step)
    assert "dagster-code" not in by_name


def test_the_back_off_doubles_up_to_its_limit() -> None:
    assert [backoff(failures) for failures in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert backoff(50) == backoff(10**6) == LONGEST_DELAY
