"""``python -m neonblue.clickhouse_server --path DIR --port N``."""

from __future__ import annotations

import logging
import sys

import uvicorn

from neonblue import log_lines
from neonblue.clickhouse_server.app import Server
from neonblue.clickhouse_server.protocol import Protocol
from neonblue.clickhouse_server.secrecy import forget_environment
from neonblue.clickhouse_server.settings import ServerSettings, SettingsError
from neonblue.log_lines import LogLines


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
