"""Every setting of NeonBlue, typed, with one prefix (``NEONBLUE_``) and one source of defaults.

A setting comes, in this order, from the environment, from ``<data-dir>/neonblue.env`` (which ``neonblue up``
writes: addresses and generated secrets), from the defaults below. ``NEONBLUE_POSTGRES_PORT`` sets
``Settings.postgres.port``. A service whose address (``url``, ``bootstrap_servers``) is given is an external
one: the stack neither starts nor stops it.
"""

from neonblue.settings.api import ApiSettings
from neonblue.settings.disk import DiskSettings
from neonblue.settings.faults import SettingsError
from neonblue.settings.kafka import KafkaSettings
from neonblue.settings.loading import ENVIRONMENT_FILE, SERVICE, Settings, folder_of
from neonblue.settings.monitoring import MonitoringSettings
from neonblue.settings.orchestration import (
    AlertSettings,
    DagsterSettings,
    ModelsSettings,
    ReportsSettings,
    RetentionSettings,
)
from neonblue.settings.postgres import PostgresSettings, Role
from neonblue.settings.stores import (
    ClickHouseSettings,
    ConnectSettings,
    ValkeySettings,
)
from neonblue.settings.traces import TracesSettings

__all__ = [
    "ENVIRONMENT_FILE",
    "SERVICE",
    "AlertSettings",
    "ApiSettings",
    "ClickHouseSettings",
    "ConnectSettings",
    "DagsterSettings",
    "DiskSettings",
    "KafkaSettings",
    "ModelsSettings",
    "MonitoringSettings",
    "PostgresSettings",
    "ReportsSettings",
    "RetentionSettings",
    "Role",
    "Settings",
    "SettingsError",
    "TracesSettings",
    "ValkeySettings",
    "folder_of",
]
