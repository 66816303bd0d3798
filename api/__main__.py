"""`python -m api` serves the API."""

from __future__ import annotations

import uvicorn

from api.http.protocol import Protocol
from neonblue.settings import Settings


def main() -> None:
    """Serve with the environment's settings until a signal ends it."""
    api = Settings.load().api
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
