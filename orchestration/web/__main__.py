"""`python -m orchestration.web WORKSPACE_FILE` serves Dagster's page, behind the sign-in."""

from __future__ import annotations

import sys
from http.cookiejar import DefaultCookiePolicy

import httpx
import uvicorn
from dagster import DagsterInstance
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from neonblue.settings import Settings, SettingsError
from orchestration.logs import configure_logs
from orchestration.web.api import Api
from orchestration.web.callers import Callers
from orchestration.web.gate import Gate
from orchestration.web.origins import Site
from orchestration.web.protocol import Protocol
from orchestration.web.sign_in import SignIn
from orchestration.web.webserver import application, open_workspace

_API_SECONDS = 5.0
_STOP_SECONDS = 5


def guarded(dagster: ASGIApp, settings: Settings) -> ASGIApp:
    """Dagster's application behind the gate, as the settings want it."""
    client = httpx.AsyncClient(base_url=settings.api.address, timeout=_API_SECONDS, trust_env=False)
    # What one person's sign-in sets must never go with another's question.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    api = Api(client, settings.dagster.page_secret.get_secret_value())
    callers = Callers(api, settings.dagster.token.get_secret_value())
    gate = Gate(
        dagster, Site.of(settings.dagster.public_url, settings.dagster.url), callers, SignIn(api, callers)
    )
    if not settings.api.trusted_proxies:
        return gate
    return ProxyHeadersMiddleware(gate, settings.api.trusted_proxies)  # type: ignore[return-value,arg-type]


def main() -> None:
    """Serve until a signal ends it. Exits with 2 where the settings or the arguments are wrong."""
    try:
        settings = Settings.load()
        (file,) = sys.argv[1:]
    except (SettingsError, ValueError) as error:
        print(error if isinstance(error, SettingsError) else __doc__, file=sys.stderr)
        sys.exit(2)
    configure_logs("dagster")
    with DagsterInstance.get() as instance, open_workspace(instance, file) as workspace:
        uvicorn.run(
            guarded(application(workspace), settings),
            host=settings.dagster.host,
            port=settings.dagster.port,
            http=Protocol,
            ws_max_size=1024**2,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )


if __name__ == "__main__":
    main()
