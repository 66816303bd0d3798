"""``python -m neonblue.stack.clickhouse_server --path DIR --port N``."""

from __future__ import annotations

import logging
import sys

import uvicorn

from neonblue import log_lines
from neonblue.log_lines import LogLines
from neonblue.stack.clickhouse_server.app import Server
from neonblue.stack.clickhouse_server.protocol import Protocol
from neonblue.stack.clickhouse_server.secrecy import forget_environment
from neonblue.stack.clickhouse_server.settings import ServerSettings, SettingsError


def main(arguments: list[str]) -> int:
    log_lines.configure("clickhouse", LogLines(lambda: sys.stdout))
    try:
        settings = ServerSettings.load(arguments)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    forget_environment()
    # A response that ends in an exception is left unfinished on purpose, which uvicorn would call an error.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "without completing response" not in record.msg
    )
    uvicorn.run(
        Server(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_timeout,
        backlog=1024,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
