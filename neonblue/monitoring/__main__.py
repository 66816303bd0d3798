"""`python -m neonblue.monitoring` serves the exporter until a signal ends it."""

from __future__ import annotations

import signal
import sys
import threading

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from neonblue.alerting import Alert, deliver_within
from neonblue.log_lines import LogLines, calm_logging
from neonblue.monitoring.clickhouse import ClickHouseSource
from neonblue.monitoring.connect import ConnectSource
from neonblue.monitoring.dagster import DagsterSource
from neonblue.monitoring.kafka import KafkaSource
from neonblue.monitoring.server import Server
from neonblue.monitoring.sources import Source, Watchers
from neonblue.monitoring.stack import StackSource
from neonblue.settings import Settings, SettingsError

_DELIVERY_SECONDS = 45.0
"""Alertmanager asks again after that. On a busy machine Apprise alone takes ten to load."""


def sources(settings: Settings) -> list[Source]:
    """All that is looked at."""
    return [
        StackSource(settings.data_dir),
        ConnectSource(settings.connect),
        KafkaSource(settings),
        ClickHouseSource(settings.clickhouse),
        DagsterSource(settings.dagster),
    ]


def main() -> None:
    """Serve with the environment's settings. Exits with 2 where they are wrong."""
    _configure_logs()
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

    def deliver(alert: Alert) -> None:
        deliver_within(settings.alert.urls, alert, _DELIVERY_SECONDS)

    monitoring = settings.monitoring
    address = (monitoring.host, monitoring.exporter_port)
    with Server(address, registry, monitoring.token.get_secret_value(), deliver) as server:
        watchers.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
        server.serve_forever()
    watchers.end()


def _configure_logs() -> None:
    calm_logging()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=LogLines(lambda: sys.stderr),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    main()
