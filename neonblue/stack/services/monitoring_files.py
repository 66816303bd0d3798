"""The configuration files of Prometheus and Alertmanager for a stack, out of those in ``compose/monitoring``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

_AT = "static_configs"


def prometheus(text: str, addresses: Mapping[str, str], rules: str) -> str:
    """The scrape configuration with `addresses` by job; a job without one is left out, also Alertmanager as a receiver.

    rules: the pattern of the files of rules.
    """
    configuration: dict[str, Any] = yaml.safe_load(text)
    configuration["rule_files"] = [rules]
    configuration["scrape_configs"] = [
        job | {_AT: [{"targets": [addresses[job["job_name"]]]}]}
        for job in configuration["scrape_configs"]
        if job["job_name"] in addresses
    ]
    receiver = addresses.get("alertmanager")
    targets = [{_AT: [{"targets": [receiver]}]}] if receiver is not None else []
    configuration["alerting"] = {"alertmanagers": targets}
    return str(yaml.safe_dump(configuration, sort_keys=False))


def alertmanager(text: str, receiver: str, token_file: str, repeat_minutes: int) -> str:
    """The routes, with the address and the token of the exporter that hands alerts on to people."""
    configuration: dict[str, Any] = yaml.safe_load(text)
    configuration["route"]["repeat_interval"] = f"{repeat_minutes}m"
    for one in configuration["receivers"]:
        for webhook in one["webhook_configs"]:
            webhook["url"] = receiver
            webhook["http_config"]["authorization"]["credentials_file"] = token_file
    return str(yaml.safe_dump(configuration, sort_keys=False))
