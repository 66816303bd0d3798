"""The configuration files of Prometheus and Alertmanager for a stack, out of those in ``compose/monitoring``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]

from neonblue.settings.monitoring import USER

_AT = "static_configs"


_ASK = ("alertmanager", "prometheus")
"""Jobs of those who want a password."""


def web(password_hash: str) -> str:
    """Who may enter Prometheus or Alertmanager, for their ``--web.config.file``. password_hash: by bcrypt."""
    return str(yaml.safe_dump({"basic_auth_users": {USER: password_hash}}))


def prometheus(text: str, addresses: Mapping[str, str], rules: str, password_file: str) -> str:
    """The scrape configuration with `addresses` by job; a job without one is left out, also Alertmanager as a receiver.

    An address may have a scheme and a path. rules: the pattern of the files of rules. password_file: by which
    Prometheus enters Alertmanager, and itself.
    """
    enters = {"basic_auth": {"username": USER, "password_file": password_file}}
    configuration: dict[str, Any] = yaml.safe_load(text)
    configuration["rule_files"] = [rules]
    configuration["scrape_configs"] = [
        job | _target(addresses[job["job_name"]]) | (enters if job["job_name"] in _ASK else {})
        for job in configuration["scrape_configs"]
        if job["job_name"] in addresses
    ]
    receiver = addresses.get("alertmanager")
    targets = [{_AT: [{"targets": [receiver]}]} | enters] if receiver is not None else []
    configuration["alerting"] = {"alertmanagers": targets}
    return str(yaml.safe_dump(configuration, sort_keys=False))


def _target(address: str) -> dict[str, Any]:
    """Where a job asks: ``host:port``, or an address as https://host/path."""
    parts = urlsplit(address if "://" in address else f"http://{address}")
    return {
        "scheme": parts.scheme,
        "metrics_path": f"{parts.path.rstrip('/')}/metrics",
        _AT: [{"targets": [parts.netloc.rpartition("@")[2]]}],
    }


def alertmanager(text: str, receiver: str, token_file: str, repeat_minutes: int) -> str:
    """The routes, with the address and the token of the exporter that hands alerts on to people."""
    configuration: dict[str, Any] = yaml.safe_load(text)
    configuration["route"]["repeat_interval"] = f"{repeat_minutes}m"
    for one in configuration["receivers"]:
        for webhook in one["webhook_configs"]:
            webhook["url"] = receiver
            webhook["http_config"]["authorization"]["credentials_file"] = token_file
    return str(yaml.safe_dump(configuration, sort_keys=False))
