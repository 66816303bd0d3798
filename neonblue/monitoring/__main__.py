"""`python -m neonblue.monitoring` serves the exporter until a signal ends it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from pydantic import SecretStr

from neonblue.alerting import Alert
from neonblue.alerting.mailbox import Mailbox
from neonblue.log_lines import LogLines, configure
from neonblue.monitoring.clickhouse import ClickHouseSource
from neonblue.monitoring.connect import ConnectSource
from neonblue.monitoring.dagster import DagsterSource
from neonblue.monitoring.kafka import KafkaSource
from neonblue.monitoring.postgres import PostgresSource
from neonblue.monitoring.server import Server
from neonblue.monitoring.sources import Source, Watchers
from neonblue.monitoring.stack import StackSource
from neonblue.settings import Settings, SettingsError


def sources(settings: Settings) -> list[Source]:
    """All that is looked at."""
    return [
        StackSource(settings.data_dir),
        ConnectSource(settings.connect),
        PostgresSource(settings.postgres),
        KafkaSource(settings),
        ClickHouseSource(settings.clickhouse),
        DagsterSource(settings.dagster),
    ]


class People:
    """Those who are told, each address by itself."""

    def __init__(self, urls: Sequence[SecretStr], ended: threading.Event) -> None:
        self._boxes = [Mailbox(url, at, ended) for at, url in enumerate(urls, 1)]

    def start(self) -> None:
        for box in self._boxes:
            box.start()

    def tell(self, alert: Alert) -> None:
        """At once, also where an address is dead."""
        for box in self._boxes:
            box.put(alert)


def main() -> None:
    """Serve with the environment's settings. Exits with 2 where they are wrong."""
    configure("exporter", LogLines(lambda: sys.stderr))
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    watchers = Watchers(sources(settings))
    registry.register(watchers)

    ended = threading.Event()
    people = People(settings.alert.urls, ended)

    monitoring = settings.monitoring
    address = (monitoring.exporter_host, monitoring.exporter_port)
    with Server(address, registry, monitoring.token.get_secret_value(), people.tell) as server:
        watchers.start()
        people.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
        server.serve_forever()
    watchers.end()
    ended.set()


if __name__ == "__main__":
    main()
