"""`python -m api` serves the API."""

from __future__ import annotations

import sys

import uvicorn

from api.http.protocol import Protocol
from neonblue.settings import Settings, SettingsError


def main() -> None:
    """Serve with the environment's settings until a signal ends it. Exits with 2 where they are wrong or misspelt."""
    try:
        api = Settings.load().api
        misspelt = [one.sentence for one in Settings.unknown() if one.claims]
    except SettingsError as error:
        misspelt = [str(error)]
    if misspelt:
        print("\n".join(misspelt), file=sys.stderr)
        sys.exit(2)
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=api.host,
        port=api.port,
        workers=api.workers,
        loop="uvloop",
        http=Protocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # the application reads them where it asks who called
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,  # longer than clients and balancers keep theirs: else a request meets a closing one
        backlog=2048,
    )


if __name__ == "__main__":
    main()
