"""Log lines of Dagster's processes: ours and Dagster's own, in one form."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TextIO

import structlog

from neonblue import log_lines
from neonblue.log_lines import LogLines, StandardLines, calm_logging

_META = "dagster_meta"
_DAGSTERS = ("dagster", "dagster-webserver")
_HOLDERS = (
    "dagster._utils.log",
    "dagster._loggers",
    "dagster._core.definitions.instigation_logger",
)
"""Modules that have Dagster's two functions which decide how it logs. What is loaded later takes them from there."""


def configure_logs(service: str) -> None:
    """Write every line of this process to standard error, as `service`: before Dagster's command line is loaded.

    Dagster keeps what a step prints for people: among dbt's words no line of ours stands. What it keeps it has copied
    to where the process writes, and ends the copying with the step, so that the last lines, such as the failure, could
    be lost: ours go there by themselves.
    """
    lines = LogLines(_beside_what_steps_print(sys.stderr))
    log_lines.configure(service, lines)
    (root,) = logging.getLogger().handlers
    root.setLevel(logging.INFO)
    # A line that a run has taken for its own comes again from the run.
    root.addFilter(lambda record: not hasattr(record, _META))

    def configure_loggers(*_: object, **__: object) -> None:
        for name in _DAGSTERS:
            logging.getLogger(name).setLevel(logging.INFO)

    def create_console_logger(name: str, level: str | int) -> logging.Logger:
        logger = logging.Logger(name, level)
        logger.addHandler(StandardLines(service, lines, _of_run))
        return logger

    configure_loggers()
    for holder in _HOLDERS:
        module = import_module(holder)
        for ours in (configure_loggers, create_console_logger):
            if hasattr(module, ours.__name__):
                setattr(module, ours.__name__, ours)


def calm_logs() -> None:
    """Fail nothing where standard output can't be written. A program's own choice of its logs stays."""
    if not structlog.is_configured():
        calm_logging()
        structlog.configure(logger_factory=LogLines(lambda: sys.stdout))


def _beside_what_steps_print(stream: TextIO) -> Callable[[], TextIO]:
    """The stream's file under a number of its own, which Dagster does not point elsewhere while a step runs."""
    try:
        own = os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors)
    except (AttributeError, OSError, ValueError):  # no file: a test's, or a program's own
        return lambda: sys.stderr
    return lambda: own


def _of_run(record: logging.LogRecord) -> Mapping[str, Any]:
    """What Dagster knows of a line that a run, or a sensor, has logged."""
    meta: Mapping[str, Any] = getattr(record, _META, {})
    fields = {
        ours: meta[theirs]
        for ours, theirs in (("run_id", "run_id"), ("job", "job_name"), ("step", "step_key"))
        if meta.get(theirs)
    }
    if meta.get("orig_message"):
        fields["message"] = meta["orig_message"]
    event = meta.get("dagster_event")
    if event is None:
        return fields
    error = getattr(event.event_specific_data, "error", None)
    more = {} if error is None else {"exception": error.to_string()}
    return {"event": event.event_type.name.lower()} | fields | more
