"""The engine's configuration files, written at every start from the templates beside this module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from neonblue.clickhouse_server.settings import ServerSettings
from neonblue.files import write_private

_MEGABYTE = 1024**2
_GIGABYTE = 1024**3
_WORK_FOLDERS = ("user_files", "user_scripts", "format_schemas", "tmp")


def write(settings: ServerSettings) -> Path:
    """Write both files and make the folders they name; returns the server's file."""
    work = settings.path / "server"
    for name in _WORK_FOLDERS:
        (work / name).mkdir(parents=True, exist_ok=True)
    cores = os.cpu_count() or 2
    memory = _memory_limit()
    values = {
        "users_file": work / "users.xml",
        "work_folder": work,
        "kafka_broker_list": settings.kafka.broker_list,
        "kafka_topic": settings.kafka.topic,
        "kafka_group": settings.kafka.group,
        "kafka_threads": max(4, cores),
        "merge_threads": max(2, cores // 2),
        "mark_cache": 128 * _MEGABYTE,
        "max_memory": memory,
        "max_query_memory": memory // 2,
        "spill": memory // 4,
        "max_query_size": settings.max_query_size,
    }
    for name in ("users.xml", "config.xml"):
        text = Template(files(__package__).joinpath(name).read_text(encoding="utf-8"))
        filled = {key: escape(str(value)) for key, value in values.items()}
        write_private(
            work / name, text.substitute(filled | {"kafka_security": _elements(settings.kafka.security)})
        )
    return work / "config.xml"


def _elements(options: Mapping[str, str]) -> str:
    """librdkafka's options as the configuration has them, one element each."""
    tags = {name.replace(".", "_"): escape(value) for name, value in options.items()}
    return "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags.items())


def _memory_limit() -> int:
    """Bytes for the engine: a quarter of the machine, at least 2 GiB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(2 * _GIGABYTE, machine // 4)
