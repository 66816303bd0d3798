"""The lineage of columns, which dagster-dbt reads out of the models' SQL as far as it understands it."""

from __future__ import annotations

import logging

_FAILED = "An error occurred while building column lineage"


class WithoutTrace(logging.Filter):
    """Of a model whose SQL is not understood only its name is told, without the parser's stack trace.

    Its other metadata, and the lineage of every other model, stay.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if message.startswith(_FAILED):
            record.msg, record.args = message.split("\n", 1)[0], None
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return True
